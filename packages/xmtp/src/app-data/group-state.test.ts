import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeRequiredCapabilities, EXTENSION_TYPE, toHex } from "@latchkey/mls";
import { ComponentType, ConversationType, MetadataPolicy_MetadataBasePolicy as Base } from "../proto.ts";
import { hex, present, testAppData } from "../testing/inboxes.ts";
import { COMPONENT } from "./component.ts";
import { isMigrated, permissionOf, readDisappearing, readGroupState } from "./group-state.ts";
import { newGroupExtensions } from "./new-group.ts";

const CREATOR = "ca".repeat(32);
const GROUP = {
  creatorInboxId: CREATOR,
  creatorSequenceId: 4n,
  name: "Chess",
  description: "Tuesdays",
  imageUrl: "https://a.b",
};

describe("the app data of a new group", () => {
  test("the context holds required capabilities, then the dictionary, as a migrated group does", () => {
    const extensions = newGroupExtensions(GROUP);
    assert.deepEqual(
      extensions.map(({ type }) => type),
      [EXTENSION_TYPE.requiredCapabilities, EXTENSION_TYPE.appDataDictionary],
    );
    assert.deepEqual(decodeRequiredCapabilities(present(extensions[0]).data), {
      extensionTypes: [0x000a, 0x0001, 0x0006],
      proposalTypes: [7, 8],
      credentialTypes: [1],
    });
  });

  test("the state is read back", () => {
    const state = readGroupState(testAppData(GROUP));
    assert.equal(state.name, "Chess");
    assert.equal(state.description, "Tuesdays");
    assert.equal(state.imageUrl, "https://a.b");
    assert.deepEqual([...state.superAdmins], [CREATOR]);
    assert.deepEqual([...state.admins], []);
    assert.equal(state.creatorInboxId, CREATOR);
    assert.equal(state.conversationType, ConversationType.GROUP);
    assert.equal(state.minVersion, "1.11.0-dev");
    assert.equal(state.policy, undefined);
    assert.deepEqual([...state.members.keys()], [CREATOR]);
    const entry = { sequenceId: 4n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
    assert.deepEqual(state.members.get(CREATOR), entry);
  });

  test("EXTERNAL_COMMIT_POLICY is registered from birth: bytes, super admins only", () => {
    const metadata = present(readGroupState(testAppData(GROUP)).registry.get(COMPONENT.externalCommitPolicy));
    assert.equal(metadata.componentType, ComponentType.BYTES);
    const { insertPolicy, updatePolicy, deletePolicy } = present(metadata.permissions);
    for (const policy of [insertPolicy, updatePolicy, deletePolicy]) {
      assert.deepEqual(present(policy).kind, { case: "base", value: Base.ALLOW_IF_SUPER_ADMIN });
    }
    assert.equal(metadata.externalCommitterPermissions, undefined);
  });

  test("fixed values have their wire form", () => {
    const appData = testAppData({ creatorInboxId: CREATOR, creatorSequenceId: 1n });
    assert.equal(toHex(present(appData.get(COMPONENT.conversationType))), "00000001");
    assert.equal(toHex(present(appData.get(COMPONENT.creatorInboxId))), `00${CREATOR}`);
    assert.equal(toHex(present(appData.get(COMPONENT.superAdminList))), `2100${CREATOR}`);
  });

  test("texts that are not given are there and empty, as libxmtp needs them, and read as none", () => {
    const appData = testAppData({ creatorInboxId: CREATOR, creatorSequenceId: 1n });
    const { groupName, groupDescription, groupImageUrl } = COMPONENT;
    for (const id of [groupName, groupDescription, groupImageUrl, COMPONENT.appData]) {
      assert.deepEqual(appData.get(id), new Uint8Array(0));
    }
    const { name, description, imageUrl } = readGroupState(appData);
    assert.deepEqual([name, description, imageUrl], [undefined, undefined, undefined]);
  });

  test("messages disappear only when both times are eight bytes and positive", () => {
    const { messageDisappearFromNs, messageDisappearInNs } = COMPONENT;
    const read = (from: string | undefined, within: string | undefined) =>
      readDisappearing(
        new Map([
          ...(from === undefined ? [] : [[messageDisappearFromNs, hex(from)] as const]),
          ...(within === undefined ? [] : [[messageDisappearInNs, hex(within)] as const]),
        ]),
      );
    const one = "0000000000000001";
    assert.deepEqual(read(one, one), { fromNs: 1n, inNs: 1n });
    assert.deepEqual(read("7fffffffffffffff", one), { fromNs: 2n ** 63n - 1n, inNs: 1n });
    for (const unset of [undefined, "", "0000000000000000", "8000000000000000", "00000000000001", `00${one}`]) {
      assert.equal(read(unset, one), undefined);
      assert.equal(read(one, unset), undefined);
    }
  });

  test("a super admin is one whether or not the list of admins says so too", () => {
    const state = readGroupState(testAppData(GROUP));
    const [admin, stranger] = ["ad".repeat(32), "57".repeat(32)];
    assert.equal(permissionOf({ ...state, admins: new Set([admin, CREATOR]) }, CREATOR), "super_admin");
    assert.equal(permissionOf({ ...state, admins: new Set([admin]) }, admin), "admin");
    assert.equal(permissionOf({ ...state, admins: new Set([admin]) }, stranger), "member");
  });

  test("a legacy group is refused by name", () => {
    assert.equal(isMigrated(new Map()), false);
    assert.throws(() => readGroupState(new Map()), { code: "GROUP_UNSUPPORTED" });
  });

  test("malformed components are refused with a typed error", () => {
    const broken: readonly (readonly [number, string])[] = [
      [COMPONENT.groupName, "ff"],
      [COMPONENT.conversationType, "000001"],
      [COMPONENT.conversationType, "00000009"],
      [COMPONENT.creatorInboxId, "01"],
      [COMPONENT.groupMembership, "ff"],
      [COMPONENT.superAdminList, "01"],
      [COMPONENT.componentRegistry, "01"],
      [COMPONENT.externalCommitPolicy, "ff"],
    ];
    for (const [componentId, bytes] of broken) {
      const appData = testAppData(GROUP).set(componentId, hex(bytes));
      assert.throws(() => readGroupState(appData), { code: "DECODE" });
    }
  });

  test("a registry entry that cannot be read is invisible and does not spoil the others", () => {
    const registry = hex("0b 80008004 01ff 80008005 00");
    const state = readGroupState(testAppData(GROUP).set(COMPONENT.componentRegistry, registry));
    assert.deepEqual([...state.registry.keys()], [COMPONENT.groupDescription]);
  });
});
