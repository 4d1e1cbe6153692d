import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { utf8 } from "@latchkey/mls";
import type { Store } from "../../storage/storage.ts";
import { envelope, identityUpdate, TOPIC, type StoreTest } from "./fixture.ts";

/** Writers, of whom each sends every batch, in an order of its own. */
const WRITERS = 4;
const BATCHES = 24;

/** Topics of the probe, and batches that each of its writers appends. */
const PROBED_TOPICS = 3;
const PROBED_BATCHES = 40;

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

  storeTest(
    "STORE a reader that has seen an id never misses a smaller one, whichever process stores it",
    async (fixture, store) => {
      const others = await Promise.all(Array.from({ length: 2 }, async () => (await fixture.another?.()) ?? store));
      const stores = [store, ...others];
      const topics = Array.from({ length: PROBED_TOPICS }, (_topic, at) => utf8(`probed ${at}`));
      const write = async (to: Store, writer: number): Promise<void> => {
        for (let turn = 0; turn < PROBED_BATCHES; turn++) {
          const [topic = TOPIC, other = TOPIC] = [
            topics[(writer + turn) % PROBED_TOPICS],
            topics[turn % PROBED_TOPICS],
          ];
          const batch = [envelope(`${writer} ${turn} a`, topic), envelope(`${writer} ${turn} b`, other)];
          assert.deepEqual(await to.groupMessages.append(batch), [true, true]);
        }
      };
      let isOver = false;
      const follow = async (from: Store, topic: Uint8Array): Promise<bigint[]> => {
        const ids: bigint[] = [];
        for (let last = false; !last;) {
          last = isOver;
          const cursor = ids.at(-1) ?? 0n;
          const request = { topic, direction: "ascending", limit: 1_000, maxBytes: 1_000_000, cursor } as const;
          ids.push(...(await from.groupMessages.read(request)).entries.map(({ id }) => id));
          await setImmediate();
        }
        return ids;
      };
      const following = stores.flatMap((from) => topics.map((topic) => follow(from, topic)));
      const writers = stores.flatMap((to, at) => [write(to, 2 * at), write(to, 2 * at + 1)]);
      await Promise.all(writers).finally(() => (isOver = true));
      const followed = await Promise.all(following);
      let stored = 0;
      for (const [index, topic] of topics.entries()) {
        const request = { topic, direction: "ascending", limit: 1_000, maxBytes: 1_000_000, cursor: 0n } as const;
        const { entries } = await store.groupMessages.read(request);
        stored += entries.length;
        assert.ok(entries.every(({ createdNs }, at) => createdNs > (entries[at - 1]?.createdNs ?? 0n)));
        for (const [at] of stores.entries()) {
          assert.deepEqual(
            followed[at * PROBED_TOPICS + index],
            entries.map(({ id }) => id),
            `reader ${at}, topic ${index}`,
          );
        }
      }
      assert.equal(stored, stores.length * 2 * PROBED_BATCHES * 2);
      for (const other of others) if (other !== store) await other.close();
    },
  );

  storeTest("STORE of updates that expect the same log one is stored, the others conflict", async (_, store) => {
    const updates = Array.from({ length: 8 }, (_update, at) => identityUpdate(`update ${at}`, 0n, {}));
    const results = await Promise.all(updates.map((update) => store.identity.append(update)));
    assert.deepEqual(results.toSorted(), [...Array.from({ length: 7 }, () => "conflict"), "stored"]);
    assert.equal((await store.identity.read("inbox", 0n)).length, 1);
  });
}
