import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ComponentMetadataSchema, ComponentType, MetadataPolicySchema } from "../proto.ts";
import { present, testAppData } from "../testing/inboxes.ts";
import { appDataUpdate, applyAppDataUpdates, mergeAppData } from "./apply.ts";
import { COMPONENT } from "./component.ts";
import { readGroupState } from "./group-state.ts";
import { COMPONENT_ID_KEY } from "./keys.ts";
import {
  isPermissible,
  PERMISSION_POLICIES,
  permissionUpdate,
  readPermissions,
  REGULATED_ACTIONS,
} from "./permissions.ts";
import { basePolicy } from "./policy-rules.ts";
import { decodeRegistry } from "./registry.ts";
import { encodeMapDelta } from "./tls-map.ts";

const GROUP = { creatorInboxId: "ca".repeat(32), creatorSequenceId: 1n };
const appData = testAppData(GROUP);

/** The app data after a write of the registry. */
function written(before: typeof appData, payload: Uint8Array) {
  const updates = [appDataUpdate(COMPONENT.componentRegistry, payload)];
  return mergeAppData(before, applyAppDataUpdates(before, updates));
}

describe("permissions of a group", () => {
  test("those of a new group, for all members and for admins only", () => {
    const open = readGroupState(appData).permissions;
    assert.deepEqual(open, {
      addMember: "allow",
      removeMember: "admin",
      addAdmin: "super_admin",
      removeAdmin: "super_admin",
      updateName: "allow",
      updateDescription: "allow",
      updateImageUrl: "allow",
      updateAppData: "admin",
      updateDisappearingMessages: "admin",
    });
    const closed = readGroupState(testAppData({ ...GROUP, permissions: "admin_only" })).permissions;
    assert.deepEqual(closed, {
      ...open,
      addMember: "admin",
      updateName: "admin",
      updateDescription: "admin",
      updateImageUrl: "admin",
    });
  });

  test("each can be given each policy, and nothing else of the registry changes", () => {
    const before = readGroupState(appData);
    for (const action of REGULATED_ACTIONS) {
      for (const policy of PERMISSION_POLICIES) {
        const after = readGroupState(written(appData, present(permissionUpdate(before.registry, action, policy))));
        assert.deepEqual(after.permissions, { ...before.permissions, [action]: policy });
        const types = (registry: typeof before.registry) =>
          [...registry].map(([id, entry]) => [id, entry.componentType]);
        assert.deepEqual(types(after.registry), types(before.registry));
      }
    }
  });

  test("policies made of several, different ones for one action, and none at all", () => {
    const and = create(MetadataPolicySchema, {
      kind: { case: "andCondition", value: { policies: [basePolicy(1), basePolicy(3)] } },
    });
    const entry = (updatePolicy: typeof and) =>
      toBinary(
        ComponentMetadataSchema,
        create(ComponentMetadataSchema, {
          componentType: ComponentType.BYTES,
          permissions: { insertPolicy: basePolicy(4), updatePolicy, deletePolicy: basePolicy(4) },
        }),
      );
    const { groupName, messageDisappearInNs, appData: data } = COMPONENT;
    const changed = written(
      appData,
      encodeMapDelta(COMPONENT_ID_KEY, [
        { op: "update", key: groupName, value: entry(and) },
        { op: "update", key: messageDisappearInNs, value: entry(basePolicy(4)) },
        { op: "delete", key: data },
      ]),
    );
    const { permissions, registry } = readGroupState(changed);
    assert.equal(permissions.updateName, "other");
    assert.equal(permissions.updateDisappearingMessages, "other");
    assert.equal(permissions.updateAppData, "deny");
    assert.equal(permissionUpdate(registry, "updateAppData", "allow"), undefined);
    assert.deepEqual(readPermissions(decodeRegistry(undefined)).addMember, "deny");
  });

  test("admins are made and unmade by admins or super admins only", () => {
    for (const action of REGULATED_ACTIONS) {
      const permissible = PERMISSION_POLICIES.filter((policy) => isPermissible(action, policy));
      const closed = action === "addAdmin" || action === "removeAdmin";
      assert.deepEqual(permissible, closed ? ["admin", "super_admin"] : PERMISSION_POLICIES);
    }
  });
});
