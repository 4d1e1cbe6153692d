import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { encode, toHex } from "@latchkey/mls";
import { hex } from "../testing/inboxes.ts";
import { COMPONENT_ID_KEY, INBOX_ID_KEY } from "./keys.ts";
import {
  applyMapDelta,
  decodeMapDelta,
  decodeTlsMap,
  encodeMapDelta,
  encodeTlsMap,
  type MapMutation,
} from "./tls-map.ts";
import {
  applySetDelta,
  decodeSetDelta,
  decodeTlsSet,
  encodeSetDelta,
  encodeTlsSet,
  type SetMutation,
} from "./tls-set.ts";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const VALUE = Uint8Array.of(1, 2, 3);
const OTHER = Uint8Array.of(9);
const decode = { code: "DECODE" };
const rejected = (rule: string) => ({ code: "COMMIT_REJECTED", rule });

describe("map components", () => {
  test("a component id as a key is a four-byte varint, an inbox id a version and 32 bytes", () => {
    assert.equal(toHex(encode(0x8003, (writer, id) => COMPONENT_ID_KEY.write(writer, id))), "80008003");
    assert.equal(toHex(encode(A, (writer, id) => INBOX_ID_KEY.write(writer, id))), `00${A}`);
  });

  test("entries are written in ascending order whatever the order of insertion", () => {
    const map = new Map([
      [B, VALUE],
      [A, OTHER],
    ]);
    assert.equal(toHex(encodeTlsMap(INBOX_ID_KEY, map)), `4048 00${A} 0109 00${B} 03010203`.replaceAll(" ", ""));
    assert.deepEqual([...decodeTlsMap(INBOX_ID_KEY, encodeTlsMap(INBOX_ID_KEY, map)).keys()], [A, B]);
  });

  test("an absent component is empty; keys out of order, twice, of another version or left over are refused", () => {
    assert.equal(decodeTlsMap(INBOX_ID_KEY, undefined).size, 0);
    assert.throws(() => decodeTlsMap(INBOX_ID_KEY, hex(`4044 00${B} 00 00${A} 00`)), decode);
    assert.throws(() => decodeTlsMap(INBOX_ID_KEY, hex(`4044 00${A} 00 00${A} 00`)), decode);
    assert.throws(() => decodeTlsMap(INBOX_ID_KEY, hex(`22 01${A} 00`)), decode);
    assert.throws(() => decodeTlsMap(INBOX_ID_KEY, hex(`22 00${A} 00 00`)), decode);
    assert.throws(() => decodeTlsMap(COMPONENT_ID_KEY, hex("05 80010000 00")), decode);
    assert.throws(() => encodeTlsMap(INBOX_ID_KEY, new Map([["AA", VALUE]])), decode);
  });

  test("mutations apply in their order, an insert after a delete included", () => {
    const component = encodeTlsMap(INBOX_ID_KEY, new Map([[A, VALUE]]));
    const delta = encodeMapDelta(INBOX_ID_KEY, [
      { op: "delete", key: A },
      { op: "insert", key: A, value: OTHER },
      { op: "update", key: A, value: VALUE },
      { op: "insert", key: B, value: OTHER },
    ]);
    const next = applyMapDelta(INBOX_ID_KEY, component, decodeMapDelta(INBOX_ID_KEY, delta));
    assert.deepEqual(
      [...decodeTlsMap(INBOX_ID_KEY, next)],
      [
        [A, VALUE],
        [B, OTHER],
      ],
    );
    assert.deepEqual([...decodeTlsMap(INBOX_ID_KEY, component)], [[A, VALUE]]);
  });

  test("KeyExists, KeyNotFound: inserting a present key, changing or deleting an absent one", () => {
    const component = encodeTlsMap(INBOX_ID_KEY, new Map([[A, VALUE]]));
    const apply = (...mutations: MapMutation<string>[]) => applyMapDelta(INBOX_ID_KEY, component, mutations);
    assert.throws(() => apply({ op: "insert", key: A, value: OTHER }), rejected("KeyExists"));
    assert.throws(() => apply({ op: "update", key: B, value: OTHER }), rejected("KeyNotFound"));
    assert.throws(() => apply({ op: "delete", key: B }), rejected("KeyNotFound"));
    const gone = { op: "delete", key: A } as const;
    assert.throws(() => apply(gone, { op: "update", key: A, value: OTHER }), rejected("KeyNotFound"));
    const added = { op: "insert", key: B, value: OTHER } as const;
    assert.throws(() => apply(added, added), rejected("KeyExists"));
  });

  test("what a delta writes does not keep the whole message that brought it in memory", () => {
    const delta = encodeMapDelta(INBOX_ID_KEY, [{ op: "insert", key: A, value: VALUE }]);
    const message = new Uint8Array(1_000_000);
    message.set(delta, 5);
    const read = decodeMapDelta(INBOX_ID_KEY, message.subarray(5, 5 + delta.length));
    const component = applyMapDelta(INBOX_ID_KEY, undefined, read);
    const value = decodeTlsMap(INBOX_ID_KEY, component).get(A);
    assert.deepEqual(value, VALUE);
    assert.ok(value.buffer.byteLength < 10_000);
  });

  test("an unknown mutation and trailing bytes are refused", () => {
    assert.throws(() => decodeMapDelta(INBOX_ID_KEY, hex(`22 03 00${A}`)), decode);
    assert.throws(() => decodeMapDelta(INBOX_ID_KEY, hex(`22 02 00${A} 00`)), decode);
  });
});

describe("set components", () => {
  const hashOf = (inboxId: string) =>
    new Uint8Array(
      createHash("sha256")
        .update(hex(`00${inboxId}`))
        .digest(),
    );

  test("keys are written in ascending order; disorder is refused", () => {
    assert.equal(toHex(encodeTlsSet(INBOX_ID_KEY, new Set([B, A]))), `404200${A}00${B}`);
    assert.throws(() => decodeTlsSet(INBOX_ID_KEY, hex(`4042 00${B} 00${A}`)), decode);
    assert.throws(() => decodeTlsSet(INBOX_ID_KEY, hex(`4042 00${A} 00${A}`)), decode);
    assert.equal(decodeTlsSet(INBOX_ID_KEY, undefined).size, 0);
  });

  test("mutations are written under the numbers that other clients read: insert 0, remove 1, remove by hash 2", () => {
    const hash = new Uint8Array(32).fill(7);
    const delta = encodeSetDelta(INBOX_ID_KEY, [
      { op: "insert", key: A },
      { op: "remove", key: B },
      { op: "removeByHash", hash },
    ]);
    assert.equal(toHex(delta), `40650000${A}0100${B}02${toHex(hash)}`);
  });

  test("insert, remove and remove by hash of the key's encoding", () => {
    const delta = encodeSetDelta(INBOX_ID_KEY, [
      { op: "insert", key: B },
      { op: "removeByHash", hash: hashOf(A) },
      { op: "insert", key: A },
      { op: "remove", key: B },
    ]);
    assert.deepEqual([...applySetDelta(INBOX_ID_KEY, new Set([A]), decodeSetDelta(INBOX_ID_KEY, delta))], [A]);
  });

  test("KeyExists, KeyNotFound, DuplicateHash; hashes are looked up in the set as it was before", () => {
    const apply = (...steps: SetMutation<string>[]) => applySetDelta(INBOX_ID_KEY, new Set([A]), steps);
    assert.throws(() => apply({ op: "insert", key: A }), rejected("KeyExists"));
    assert.throws(() => apply({ op: "remove", key: B }), rejected("KeyNotFound"));
    const hash = hashOf(A);
    assert.throws(() => apply({ op: "removeByHash", hash }, { op: "removeByHash", hash }), rejected("DuplicateHash"));
    const unknown = hashOf(B);
    assert.throws(
      () => apply({ op: "insert", key: B }, { op: "removeByHash", hash: unknown }),
      rejected("KeyNotFound"),
    );
  });

  test("an unknown mutation and a short hash are refused", () => {
    assert.throws(() => decodeSetDelta(INBOX_ID_KEY, hex(`22 04 00${A}`)), decode);
    assert.throws(() => decodeSetDelta(INBOX_ID_KEY, hex("05 02 00000000")), decode);
  });
});
