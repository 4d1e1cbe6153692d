import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeGroupInfoHints, readGroupInfoHints } from "./group-info-hints.ts";

test("a log cursor comes back; none, and one that makes no sense, is none", () => {
  for (const logCursor of [1n, 2n ** 53n, 2n ** 63n - 1n]) {
    assert.deepEqual(readGroupInfoHints(encodeGroupInfoHints({ logCursor })), { logCursor });
  }
  const none = { logCursor: undefined };
  assert.deepEqual(encodeGroupInfoHints(none), []);
  assert.deepEqual(encodeGroupInfoHints({ logCursor: 0n }), []);
  assert.deepEqual(readGroupInfoHints([]), none);
  for (const logCursor of [2n ** 63n, 2n ** 64n - 1n]) {
    assert.deepEqual(readGroupInfoHints(encodeGroupInfoHints({ logCursor })), none);
  }
  const [{ type } = { type: 0 }] = encodeGroupInfoHints({ logCursor: 1n });
  for (const length of [0, 7, 8, 9]) {
    assert.deepEqual(readGroupInfoHints([{ type, data: new Uint8Array(length) }]), none);
  }
});
