import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "@latchkey/mls/node";
import { MemoryDatabase } from "../store/memory-store.ts";
import { sampleMessage } from "../testing/sample-rows.ts";
import type { GroupCore } from "./group-core.ts";
import { keepBrought, keepMessage } from "./message-ids.ts";

/** As much of a group as keeping a message looks at. */
function coreWith(cursor: bigint) {
  const store = new MemoryDatabase().open();
  const own = { hmacRoot: new Uint8Array(42).fill(1) };
  const core = { context: { crypto: nodeCrypto, own, store }, record: { cursor }, mls: { appData: new Map() } };
  return { store, core: core as unknown as GroupCore };
}

const message = { ...sampleMessage(5n, "brought"), messageId: "ab".repeat(32), broughtBy: "own device" };

test("what the log shows takes the place of a message that an own device brought, whatever that says", () => {
  const { store, core } = coreWith(9n);
  store.transaction((tables) => {
    assert.equal(keepBrought(core, tables, message), true);
    assert.equal(keepBrought(core, tables, { ...message, id: 6n }), false, "a second one of the same sender and id");
  });
  const genuine = { ...message, id: 7n, text: "genuine", broughtBy: undefined };
  store.transaction((tables) => keepMessage(core, tables, genuine));
  assert.deepEqual(store.messages.list(), [genuine]);
  store.transaction((tables) => {
    assert.equal(keepBrought(core, tables, message), false);
    keepMessage(core, tables, { ...genuine, id: 8n });
  });
  assert.deepEqual(store.messages.list(), [genuine]);
});

test("nothing is brought ahead of the log, or in the place of what was read", () => {
  const { store, core } = coreWith(5n);
  store.transaction((tables) => {
    assert.equal(keepBrought(core, tables, { ...message, id: 6n }), false);
    assert.equal(keepBrought(core, tables, message), true);
    assert.equal(keepBrought(core, tables, { ...message, messageId: "cd".repeat(32) }), false);
  });
  assert.deepEqual(store.messages.list(), [message]);
});
