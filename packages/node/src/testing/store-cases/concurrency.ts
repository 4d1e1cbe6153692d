import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { envelope, identityUpdate, TOPIC, type StoreTest } from "./fixture.ts";

/** Writers, of whom each sends every batch, in an order of its own. */
const WRITERS = 4;
const BATCHES = 24;

/** Cases with many writers and readers at once. */
export function describeConcurrency(storeTest: StoreTest): void {
  storeTest("STORE each envelope of many writers is stored once, and a follower misses none", async (_, store) => {
    const log = store.groupMessages;
    const batches = Array.from({ length: BATCHES }, (_batch, at) => [envelope(`${at}a`), envelope(`${at}b`)]);
    const stored: string[] = [];
    const write = async (writer: number): Promise<void> => {
      for (let turn = 0; turn < BATCHES; turn++) {
        const at = (turn * 5 + writer * 7) % BATCHES;
        const kept = await log.append(batches[at] ?? []);
        assert.equal(kept[0], kept[1], "a batch is stored as a whole");
        if (kept[0] === true) stored.push(`${at}a`, `${at}b`);
      }
    };
    const seen: string[] = [];
    const follow = async (): Promise<void> => {
      let cursor = 0n;
      while (seen.length < 2 * BATCHES) {
        await setImmediate();
        const page = await log.read({ topic: TOPIC, direction: "ascending", limit: 3, maxBytes: 1_000, cursor });
        seen.push(...page.entries.map(({ payload }) => Buffer.from(payload).toString()));
        cursor = page.entries.at(-1)?.id ?? cursor;
      }
    };
    await Promise.all([follow(), ...Array.from({ length: WRITERS }, (_writer, number) => write(number))]);
    assert.deepEqual(seen.toSorted(), batches.flatMap((_batch, at) => [`${at}a`, `${at}b`]).sort());
    assert.deepEqual(stored.toSorted(), seen.toSorted(), "each was acknowledged as stored once");
    for (const [at, text] of seen.entries()) {
      if (text.endsWith("a")) assert.equal(seen[at + 1], text.replace("a", "b"), "a batch is adjacent and in order");
    }
  });

  storeTest("STORE of updates that expect the same log one is stored, the others conflict", async (_, store) => {
    const updates = Array.from({ length: 8 }, (_update, at) => identityUpdate(`update ${at}`, 0n, {}));
    const results = await Promise.all(updates.map((update) => store.identity.append(update)));
    assert.deepEqual(results.toSorted(), [...Array.from({ length: 7 }, () => "conflict"), "stored"]);
    assert.equal((await store.identity.read("inbox", 0n)).length, 1);
  });
}
