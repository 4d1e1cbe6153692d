import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex, utf8 } from "@latchkey/mls";
import { ComponentMetadataSchema, ComponentType } from "../proto.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { hex, present, testAppData, updateProposal } from "../testing/inboxes.ts";
import { applyAppDataUpdates, componentChanges, mergeAppData } from "./apply.ts";
import { COMPONENT } from "./component.ts";
import { BYTES_KEY, COMPONENT_ID_KEY, INBOX_ID_KEY } from "./keys.ts";
import { decodeRegistry } from "./registry.ts";
import { encodeMapDelta } from "./tls-map.ts";
import { encodeSetDelta } from "./tls-set.ts";
import { adminListDelta, registerExternalCommitPolicy, stringUpdate, superAdminListDelta } from "./updates.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const APP_DATA = testAppData({ creatorInboxId: A, creatorSequenceId: 1n, name: "Old" });
const remove = (componentId: number) => ({ componentId, operation: { kind: "remove" as const } });
const malformed = { code: "COMMIT_REJECTED", rule: "ComponentPayloadMalformed" };

describe("AppDataUpdates", () => {
  test("deltas of one component apply in commit order, and the result is the whole new value", () => {
    const changes = applyAppDataUpdates(APP_DATA, [
      updateProposal(COMPONENT.adminList, adminListDelta([{ op: "insert", inboxId: B }])),
      updateProposal(COMPONENT.groupName, stringUpdate("First")),
      updateProposal(
        COMPONENT.adminList,
        adminListDelta([
          { op: "insert", inboxId: A },
          { op: "remove", inboxId: B },
        ]),
      ),
      updateProposal(COMPONENT.groupName, stringUpdate("Second")),
    ]);
    assert.deepEqual([...changes.keys()], [COMPONENT.adminList, COMPONENT.groupName]);
    assert.equal(toHex(present(changes.get(COMPONENT.adminList) ?? undefined)), `2100${A}`);
    assert.deepEqual(changes.get(COMPONENT.groupName), utf8("Second"));
  });

  test("a removed component is gone from the merged dictionary, the others stay", () => {
    const changes = applyAppDataUpdates(APP_DATA, [remove(COMPONENT.groupName)]);
    assert.equal(changes.get(COMPONENT.groupName), null);
    const merged = mergeAppData(APP_DATA, changes);
    assert.equal(merged.has(COMPONENT.groupName), false);
    assert.equal(merged.size, APP_DATA.size - 1);
  });

  test("ComponentPayloadMalformed: values of fixed length have just that length", () => {
    const lengths = [
      [COMPONENT.messageDisappearFromNs, 8],
      [COMPONENT.messageDisappearInNs, 8],
      [COMPONENT.commitLogSigner, 32],
      [COMPONENT.creatorInboxId, 33],
      [COMPONENT.conversationType, 4],
    ] as const;
    for (const [componentId, length] of lengths) {
      const apply = (bytes: number) =>
        applyAppDataUpdates(APP_DATA, [updateProposal(componentId, new Uint8Array(bytes))]);
      assert.equal(apply(length).get(componentId)?.length, length);
      for (const other of [length - 1, length + 1]) assert.throws(() => apply(other), malformed);
    }
  });

  test("what an update of a set or a text changes is told to who judges permissions", () => {
    const registry = decodeRegistry(APP_DATA.get(COMPONENT.componentRegistry));
    const changes = componentChanges(
      updateProposal(
        COMPONENT.adminList,
        encodeSetDelta(INBOX_ID_KEY, [
          { op: "insert", key: A },
          { op: "remove", key: B },
          { op: "removeByHash", hash: new Uint8Array(32) },
        ]),
      ),
      registry,
    );
    assert.deepEqual(changes, [
      { op: "insert", key: A, value: undefined },
      { op: "delete", key: B, value: undefined },
      { op: "delete", key: undefined, value: undefined },
    ]);
    assert.throws(() => componentChanges(updateProposal(COMPONENT.groupName, hex("ff")), registry), malformed);
  });

  test("ComponentPayloadMalformed: wrong lengths, text that is not UTF-8, deltas that do not decode", () => {
    const bad: readonly (readonly [number, string])[] = [
      [COMPONENT.groupName, "ff"],
      [COMPONENT.messageDisappearInNs, "00"],
      [COMPONENT.commitLogSigner, "00"],
      [COMPONENT.groupMembership, "01"],
      [COMPONENT.adminList, "0109"],
      [COMPONENT.componentRegistry, "ff"],
    ];
    for (const [componentId, payload] of bad) {
      assert.throws(() => applyAppDataUpdates(APP_DATA, [updateProposal(componentId, hex(payload))]), malformed);
    }
  });

  test("KeyExists comes through from the container", () => {
    const update = updateProposal(COMPONENT.superAdminList, superAdminListDelta([{ op: "insert", inboxId: A }]));
    assert.throws(() => applyAppDataUpdates(APP_DATA, [update]), { code: "COMMIT_REJECTED", rule: "KeyExists" });
  });

  test("InsufficientPermissions: a component that nobody registered cannot be read, so it cannot be written", () => {
    const update = updateProposal(0xc001, new Uint8Array(1));
    const expected = { rule: "InsufficientPermissions", data: { componentId: 0xc001, reason: "NoRegistryEntry" } };
    assert.throws(() => applyAppDataUpdates(APP_DATA, [update]), expected);
  });

  test("components of applications are read by the type their registry entry gives", () => {
    const { TLS_MAP_BYTES_BYTES, TLS_SET_BYTES, STRING } = ComponentType;
    const types = new Map([
      [0xc001, TLS_MAP_BYTES_BYTES],
      [0xc002, TLS_SET_BYTES],
      [0xc003, STRING],
    ]);
    const entries = [...types].map(([key, componentType]) => {
      const value = toBinary(ComponentMetadataSchema, create(ComponentMetadataSchema, { componentType }));
      return { op: "insert" as const, key, value };
    });
    const register = updateProposal(COMPONENT.componentRegistry, encodeMapDelta(COMPONENT_ID_KEY, entries));
    const registered = mergeAppData(APP_DATA, applyAppDataUpdates(APP_DATA, [register]));
    const changes = applyAppDataUpdates(registered, [
      updateProposal(0xc001, encodeMapDelta(BYTES_KEY, [{ op: "insert", key: "0102", value: hex("03") }])),
      updateProposal(0xc002, encodeSetDelta(BYTES_KEY, [{ op: "insert", key: "04" }])),
      updateProposal(0xc003, utf8("text")),
    ]);
    assert.deepEqual(
      [...changes.values()].map((value) => toHex(present(value ?? undefined))),
      ["050201020103", "020104", "74657874"],
    );
  });

  test("a group migrated elsewhere gets its registry entry for EXTERNAL_COMMIT_POLICY in one update", () => {
    const delta = updateProposal(COMPONENT.componentRegistry, registerExternalCommitPolicy());
    const empty = new Map([[COMPONENT.componentRegistry, hex("00")]]);
    const value = applyAppDataUpdates(empty, [delta]).get(COMPONENT.componentRegistry);
    assert.equal(toHex(present(value ?? undefined)).includes("8000800c"), true);
  });
});
