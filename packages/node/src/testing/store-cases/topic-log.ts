import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { bytesKey } from "@latchkey/mls";
import { envelope, identityUpdate, OTHER, read, TOPIC, type StoreTest } from "./fixture.ts";

/** Cases of the topic logs. */
export function describeTopicLog(storeTest: StoreTest): void {
  storeTest("STORE ids start at 1 and each log has a sequence of its own", async (_fixture, store) => {
    for (const log of [store.groupMessages, store.welcomes, store.commitLog]) {
      assert.equal(await log.newest(TOPIC), undefined);
      assert.deepEqual(await log.append([envelope("a"), envelope("b")]), [true, true]);
      assert.equal((await log.newest(TOPIC))?.id, 2n);
    }
  });

  storeTest("STORE heads tell the newest envelope of many topics, in the order asked", async (_fixture, store) => {
    const log = store.groupMessages;
    await log.append([envelope("a"), envelope("x", OTHER)]);
    await log.append([{ ...envelope("b"), kind: "handshake" }]);
    const many = Array.from({ length: 300 }, (_, at) => Uint8Array.of(at >> 8, at));
    const heads = await log.heads([OTHER, ...many, TOPIC, TOPIC]);
    assert.equal(heads.length, 303);
    assert.deepEqual(
      [heads[0]?.id, heads[0]?.kind, heads[301]?.id, heads[301]?.kind],
      [2n, undefined, 3n, "handshake"],
    );
    assert.equal(heads[301]?.createdNs, (await log.newest(TOPIC))?.createdNs);
    assert.deepEqual(heads[302], heads[301]);
    assert.ok(heads.slice(1, 301).every((head) => head === undefined));
    await log.append([{ ...envelope("c"), kind: "application" }]);
    assert.equal((await log.heads([TOPIC]))[0]?.kind, "application");
    assert.deepEqual(await log.heads([]), []);
  });

  storeTest("STORE a batch is stored adjacent and in order, across topics too", async (_fixture, store) => {
    const log = store.groupMessages;
    await log.append([envelope("a"), envelope("x", OTHER), envelope("b")]);
    await Promise.all([
      log.append([envelope("c"), envelope("d"), envelope("e")]),
      log.append([envelope("f"), envelope("g")]),
    ]);
    const joined = (await read(log)).texts.join("");
    assert.ok(joined.startsWith("ab") && joined.includes("cde") && joined.includes("fg"), joined);
    assert.deepEqual((await read(log, { topic: OTHER })).texts, ["x"]);
  });

  storeTest(
    "STORE a known digest is dropped, within a batch and later, also after reopening",
    async (fixture, store) => {
      assert.deepEqual(await store.groupMessages.append([envelope("a"), envelope("a")]), [true, false]);
      assert.deepEqual(await store.groupMessages.append([envelope("a"), envelope("b")]), [false, true]);
      const reopened = await fixture.reopen();
      assert.deepEqual(await reopened.groupMessages.append([envelope("b"), envelope("a", OTHER)]), [false, true]);
      assert.deepEqual((await read(reopened.groupMessages)).texts, ["a", "b"]);
    },
  );

  storeTest(
    "STORE created_ns rises within a topic when the clock stands still or goes back",
    async (fixture, store) => {
      const log = store.groupMessages;
      await fixture.setClock(1_000n);
      await log.append([envelope("a"), envelope("b")]);
      await fixture.setClock(10n);
      await log.append([envelope("c")]);
      await log.append([envelope("x", OTHER)]);
      const page = await log.read({ topic: TOPIC, direction: "ascending", cursor: 0n, limit: 9, maxBytes: 1_000 });
      assert.deepEqual(
        page.entries.map((entry) => entry.createdNs),
        [1_000n, 1_001n, 1_002n],
      );
      const other = (await log.newest(OTHER))?.createdNs;
      if (fixture.keepsTime === true) assert.ok(other !== undefined && other >= 1_002n, "no stamp goes back");
      else assert.equal(other, 10n, "other topics are not held up");
    },
  );

  storeTest("STORE the newest time of all logs survives a reopening", async (fixture, store) => {
    assert.equal(await store.newestStampNs(), 0n);
    for (const [nowNs, log] of [
      [5n, store.groupMessages],
      [7n, store.welcomes],
      [9n, store.commitLog],
    ] as const) {
      await fixture.setClock(nowNs);
      await log.append([envelope(`at ${nowNs}`)]);
      assert.equal(await store.newestStampNs(), nowNs);
    }
    await fixture.setClock(11n);
    await store.identity.append(identityUpdate("update", 0n, {}));
    assert.equal(await (await fixture.reopen()).newestStampNs(), 11n);
  });

  storeTest("STORE pages ascend and descend behind an exclusive cursor", async (_fixture, store) => {
    const log = store.groupMessages;
    await log.append(["a", "b", "c", "d", "e"].map((text) => envelope(text)));
    assert.deepEqual(await read(log, { limit: 2 }), { texts: ["a", "b"], more: true });
    assert.deepEqual(await read(log, { limit: 2, cursor: 2n }), { texts: ["c", "d"], more: true });
    assert.deepEqual(await read(log, { limit: 2, cursor: 4n }), { texts: ["e"], more: false });
    assert.deepEqual(await read(log, { limit: 5 }), { texts: ["a", "b", "c", "d", "e"], more: false });
    assert.deepEqual(await read(log, { cursor: 2n ** 64n - 1n }), { texts: [], more: false });
    const direction = "descending";
    assert.deepEqual(await read(log, { direction, limit: 2 }), { texts: ["e", "d"], more: true });
    assert.deepEqual(await read(log, { direction, cursor: 3n }), { texts: ["b", "a"], more: false });
    assert.deepEqual((await read(log, { direction, cursor: 2n ** 64n - 1n })).texts.length, 5);
  });

  storeTest("STORE a page ends before its byte bound, but has at least one entry", async (_fixture, store) => {
    const log = store.groupMessages;
    await log.append([envelope("x".repeat(50)), envelope("y".repeat(50)), envelope("z".repeat(50))]);
    assert.equal((await read(log, { maxBytes: 100 })).texts.length, 2);
    assert.deepEqual(await read(log, { maxBytes: 1 }), { texts: ["x".repeat(50)], more: true });
    await log.append([envelope("w")]); // The statement of a page that ended early holds nothing up.
    assert.equal((await read(log)).texts.length, 4);
  });

  storeTest("STORE ids are not given again after reopening", async (fixture, store) => {
    await store.welcomes.append([envelope("a"), envelope("b")]);
    const reopened = await fixture.reopen();
    await reopened.welcomes.append([envelope("c")]);
    assert.equal((await reopened.welcomes.newest(TOPIC))?.id, 3n);
  });

  storeTest("STORE a reader is woken when one of its topics has grown, and reads what is new", async (_, store) => {
    const log = store.groupMessages;
    const woken: string[] = [];
    const reads: ReturnType<typeof read>[] = [];
    const wake = (topic: string): void => {
      woken.push(topic);
      reads.push(read(log));
    };
    const stop = log.subscribe([bytesKey(TOPIC)], wake);
    const stopOther = log.subscribe([bytesKey(TOPIC), bytesKey(OTHER)], () => woken.push("second reader"));
    await log.append([envelope("a"), envelope("x", OTHER)]);
    await settled(() => woken.includes(bytesKey(TOPIC)) && woken.includes("second reader"));
    assert.ok(!woken.includes(bytesKey(OTHER)), "the first reader has not asked for the other topic");
    assert.deepEqual(
      await reads[0],
      { texts: ["a"], more: false },
      "the read that begins in the wake sees the envelope",
    );

    stop();
    woken.length = 0;
    await log.append([envelope("b")]);
    await settled(() => woken.includes("second reader"));
    assert.ok(!woken.includes(bytesKey(TOPIC)), "a reader that has left is not woken");
    stopOther();
  });
}

/** Lets everything else run until the condition holds. */
async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
