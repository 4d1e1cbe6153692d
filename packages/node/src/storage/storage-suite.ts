import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { utf8 } from "@latchkey/mls";
import type {
  NewEnvelope,
  NewIdentityUpdate,
  PageRequest,
  SlotBlob,
  SlotPage,
  SlotQuery,
  Store,
  TopicLog,
} from "./storage.ts";

/** A store under test: empty at first, with a clock that the suite sets. */
export interface StoreFixture {
  readonly store: Store;
  setClock(nowNs: bigint): void;
  /** Closes the store and opens the same data again. */
  reopen(): Promise<Store>;
  dispose(): Promise<void>;
}

const TOPIC = utf8("topic");
const OTHER = utf8("other topic");
const BOUNDS = { blobsPerSlot: 8, slotsTotal: 100, bytesTotal: 100_000, lifeNs: 1_000n };

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

function envelope(text: string, topic = TOPIC): NewEnvelope {
  const payload = utf8(text);
  return { topic, payload, digest: sha256(topic, payload) };
}

async function read(log: TopicLog, request: Partial<PageRequest> = {}): Promise<{ texts: string[]; more: boolean }> {
  const all: PageRequest = { topic: TOPIC, direction: "ascending", cursor: 0n, limit: 100, maxBytes: 1_000_000 };
  const page = await log.read({ ...all, ...request });
  return { texts: page.entries.map((entry) => Buffer.from(entry.payload).toString()), more: page.more };
}

function blob(text: string, fields: Partial<SlotBlob> = {}): SlotBlob {
  return { epoch: 7n, digest: sha256(utf8("digest")), expiresAtNs: 0n, bytes: utf8(text), ...fields };
}

function identityUpdate(text: string, expectedLastId: bigint, fields: Partial<NewIdentityUpdate>): NewIdentityUpdate {
  const payload = utf8(text);
  const update = { inboxId: "inbox", payload, digest: sha256(payload), expectedLastId, added: [], removed: [] };
  return { ...update, ...fields };
}

/** The behaviour every adapter of `Store` must show. */
export function describeStore(name: string, create: () => Promise<StoreFixture>): void {
  function storeTest(title: string, run: (fixture: StoreFixture, store: Store) => Promise<void>): void {
    test(title, async () => {
      const fixture = await create();
      try {
        await run(fixture, fixture.store);
      } finally {
        await fixture.dispose();
      }
    });
  }

  describe(`${name}: topic logs`, () => describeTopicLog(storeTest));
  describe(`${name}: many at once`, () => describeConcurrency(storeTest));
  describe(`${name}: identity, key packages`, () => describeIdentity(storeTest));
  describe(`${name}: slots`, () => describeSlots(storeTest));
}

type StoreTest = (title: string, run: (fixture: StoreFixture, store: Store) => Promise<void>) => void;

function describeTopicLog(storeTest: StoreTest): void {
  storeTest("STORE ids start at 1 and each log has a sequence of its own", async (_fixture, store) => {
    for (const log of [store.groupMessages, store.welcomes, store.commitLog]) {
      assert.equal(await log.newest(TOPIC), undefined);
      assert.deepEqual(await log.append([envelope("a"), envelope("b")]), [true, true]);
      assert.equal((await log.newest(TOPIC))?.id, 2n);
    }
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
      fixture.setClock(1_000n);
      await log.append([envelope("a"), envelope("b")]);
      fixture.setClock(10n);
      await log.append([envelope("c")]);
      await log.append([envelope("x", OTHER)]);
      const page = await log.read({ topic: TOPIC, direction: "ascending", cursor: 0n, limit: 9, maxBytes: 1_000 });
      assert.deepEqual(
        page.entries.map((entry) => entry.createdNs),
        [1_000n, 1_001n, 1_002n],
      );
      assert.equal((await log.newest(OTHER))?.createdNs, 10n, "other topics are not held up");
    },
  );

  storeTest("STORE the newest time of all logs survives a reopening", async (fixture, store) => {
    assert.equal(await store.newestStampNs(), 0n);
    for (const [nowNs, log] of [
      [5n, store.groupMessages],
      [7n, store.welcomes],
      [9n, store.commitLog],
    ] as const) {
      fixture.setClock(nowNs);
      await log.append([envelope(`at ${nowNs}`)]);
      assert.equal(await store.newestStampNs(), nowNs);
    }
    fixture.setClock(11n);
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
}

/** Writers, of whom each sends every batch, in an order of its own. */
const WRITERS = 4;
const BATCHES = 24;

function describeConcurrency(storeTest: StoreTest): void {
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

function describeIdentity(storeTest: StoreTest): void {
  const wallet = { kind: "ethereum", identifier: "0xabc" } as const;

  storeTest(
    "STORE an identity update is stored once, and only behind the expected one",
    async (_fixture, { identity }) => {
      assert.equal(await identity.append(identityUpdate("a", 0n, {})), "stored");
      assert.equal(await identity.append(identityUpdate("b", 0n, {})), "conflict");
      assert.equal(await identity.append(identityUpdate("a", 1n, {})), "duplicate");
      assert.equal(await identity.append(identityUpdate("b", 1n, {})), "stored");
      const texts = async (afterId: bigint) =>
        (await identity.read("inbox", afterId)).map((update) => Buffer.from(update.payload).toString());
      assert.deepEqual(await texts(0n), ["a", "b"]);
      assert.deepEqual(await texts(1n), ["b"]);
      assert.deepEqual(await identity.read("nobody", 0n), []);
    },
  );

  storeTest("STORE the index names the inbox joined last and forgets revoked ones", async (_fixture, { identity }) => {
    assert.equal(await identity.findInbox(wallet), undefined);
    await identity.append(identityUpdate("a", 0n, { inboxId: "one", added: [wallet] }));
    await identity.append(identityUpdate("b", 0n, { inboxId: "two", added: [wallet] }));
    assert.equal(await identity.findInbox(wallet), "two");
    await identity.append(identityUpdate("c", 2n, { inboxId: "two", removed: [wallet] }));
    assert.equal(await identity.findInbox(wallet), "one");
    assert.equal(await identity.findInbox({ ...wallet, kind: "passkey" }), undefined);
    await identity.append(identityUpdate("d", 9n, { inboxId: "one", removed: [wallet] }));
    assert.equal(await identity.findInbox(wallet), "one", "a conflict leaves the index as it was");
  });

  storeTest("STORE the latest key package of an installation wins and survives", async (fixture, { keyPackages }) => {
    assert.equal(await keyPackages.get(TOPIC), undefined);
    await keyPackages.put(TOPIC, utf8("first"));
    await keyPackages.put(TOPIC, utf8("second"));
    assert.deepEqual(await keyPackages.get(TOPIC), utf8("second"));
    assert.deepEqual(await (await fixture.reopen()).keyPackages.get(TOPIC), utf8("second"));
  });
}

function describeSlots(storeTest: StoreTest): void {
  const texts = async (slots: Store["slots"], query: SlotQuery) => {
    const { blobs } = await slots.measure(query);
    const contents = await Promise.all(blobs.map(({ id }) => slots.blob(id)));
    return contents.map((bytes) => Buffer.from(bytes ?? []).toString());
  };
  const sizes = ({ blobs }: SlotPage) => blobs.map(({ bytes }) => bytes);

  storeTest("SLOT the last 8 blobs are kept, whatever epoch they claim", async (_fixture, { slots }) => {
    for (let i = 0; i < 10; i++) {
      assert.equal(await slots.put(TOPIC, blob(`blob ${i}`, { epoch: BigInt(100 - i) }), BOUNDS, 1n), "stored");
    }
    const kept = await texts(slots, { slotId: TOPIC, nowNs: 1n });
    assert.deepEqual(kept, ["blob 2", "blob 3", "blob 4", "blob 5", "blob 6", "blob 7", "blob 8", "blob 9"]);
  });

  storeTest("SLOT byte-identical blobs are one and keep their place; slots are apart", async (_fixture, { slots }) => {
    await slots.put(TOPIC, blob("a"), BOUNDS, 1n);
    await slots.put(TOPIC, blob("b"), BOUNDS, 1n);
    assert.equal(await slots.put(TOPIC, blob("a"), BOUNDS, 1n), "present");
    assert.equal(await slots.put(OTHER, blob("a"), BOUNDS, 1n), "stored");
    assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 1n }), ["a", "b"]);
    assert.deepEqual(sizes(await slots.measure({ slotId: TOPIC, nowNs: 1n })), [1, 1]);
  });

  storeTest("SLOT epoch and digest select, up to the largest epoch", async (_fixture, { slots }) => {
    const match = { epoch: 2n ** 64n - 1n, digest: sha256(utf8("other")) };
    await slots.put(TOPIC, blob("a", match), BOUNDS, 1n);
    await slots.put(TOPIC, blob("b", { digest: match.digest }), BOUNDS, 1n);
    await slots.put(TOPIC, blob("c", { epoch: match.epoch }), BOUNDS, 1n);
    assert.deepEqual(await texts(slots, { slotId: TOPIC, match, nowNs: 1n }), ["a"]);
    assert.deepEqual(sizes(await slots.measure({ slotId: TOPIC, match, nowNs: 1n })), [1]);
    assert.deepEqual(sizes(await slots.measure({ slotId: OTHER, match, nowNs: 1n })), []);
  });

  storeTest(
    "SLOT expired blobs are not served and are deleted; no blob lives longer than its time from the last upload",
    async (_fixture, { slots }) => {
      await slots.put(TOPIC, blob("a", { expiresAtNs: 50n }), BOUNDS, 1n);
      await slots.put(TOPIC, blob("b"), BOUNDS, 1n);
      await slots.put(OTHER, blob("c", { expiresAtNs: 60n }), BOUNDS, 1n);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 49n }), ["a", "b"]);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 50n }), ["b"]);
      assert.equal(await slots.sweep(100n, 0n), 2);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 1n }), ["b"]);
      assert.deepEqual(sizes(await slots.measure({ slotId: OTHER, nowNs: 1n })), []);
      await slots.put(OTHER, blob("d", { expiresAtNs: 2n ** 64n - 1n }), BOUNDS, 1n);
      assert.equal(await slots.put(TOPIC, blob("b"), BOUNDS, 500n), "present");
      assert.deepEqual(await texts(slots, { slotId: OTHER, nowNs: 1_001n }), []);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 1_001n }), ["b"]);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 1_500n }), []);
    },
  );

  storeTest(
    "SLOT a credential closes an empty slot, lets itself be changed, and outlives the blobs",
    async (_fixture, store) => {
      const { slots } = store;
      const [first, second] = [
        { credentialHash: new Uint8Array(32).fill(1) },
        { credentialHash: new Uint8Array(32).fill(2) },
      ];
      const put = (text: string, writer = {}, expiresAtNs = 50n) =>
        slots.put(TOPIC, blob(text, { expiresAtNs }), BOUNDS, 1n, writer);
      assert.equal(await put("a", first), "stored");
      assert.deepEqual([await put("b"), await put("b", second)], ["forbidden", "forbidden"]);
      assert.deepEqual([await slots.admits(TOPIC, {}), await slots.admits(TOPIC, first)], [false, true]);
      assert.deepEqual(await texts(slots, { slotId: TOPIC, nowNs: 1n }), ["a"]);
      assert.equal(await put("b", { ...first, nextHash: second.credentialHash }), "stored");
      assert.deepEqual([await put("c", first), await put("c", second)], ["forbidden", "stored"]);

      // Its blobs go, and its credential does not, for a while.
      assert.equal(await slots.sweep(50n, 1n), 3);
      assert.equal(await slots.admits(TOPIC, first), false);
      await slots.sweep(50n, 2n);
      assert.equal(await slots.admits(TOPIC, first), true);
    },
  );

  storeTest(
    "SLOT a slot that was begun without a credential stays open while it holds something",
    async (_fixture, store) => {
      const { slots } = store;
      const writer = { credentialHash: new Uint8Array(32).fill(1) };
      await slots.put(TOPIC, blob("a", { expiresAtNs: 50n }), BOUNDS, 1n);
      assert.equal(await slots.put(TOPIC, blob("b", { expiresAtNs: 60n }), BOUNDS, 1n, writer), "stored");
      assert.equal(await slots.put(TOPIC, blob("c", { expiresAtNs: 60n }), BOUNDS, 1n), "stored");
      assert.equal(await slots.put(TOPIC, blob("d"), BOUNDS, 60n, writer), "stored");
      assert.equal(await slots.put(TOPIC, blob("e"), BOUNDS, 60n), "forbidden");
    },
  );

  storeTest("SLOT credentials of slots that hold nothing are bounded like slots", async (_fixture, { slots }) => {
    const bounds = { ...BOUNDS, slotsTotal: 2 };
    const put = (id: number, nowNs: bigint) =>
      slots.put(Uint8Array.of(0, 0, 0, id), blob("x", { expiresAtNs: nowNs + 1n }), bounds, nowNs, {
        credentialHash: new Uint8Array(32).fill(1),
      });
    for (const id of [1, 2]) assert.equal(await put(id, BigInt(id)), "stored");
    await assert.rejects(put(3, 3n), { code: "SLOTS_FULL" });
    await slots.sweep(10n, 3n);
    assert.equal(await put(3, 10n), "stored");
  });

  storeTest("SLOT a tag names what a look-up gives: blobs and order, nothing else", async (_fixture, { slots }) => {
    const tagOf = async (slotId: Uint8Array, nowNs = 1n) => {
      return (await slots.measure({ slotId, nowNs })).tag;
    };
    const expiring = blob("a", { expiresAtNs: 50n });
    const states = [await tagOf(TOPIC)];
    await slots.put(TOPIC, expiring, BOUNDS, 1n);
    states.push(await tagOf(TOPIC));
    await slots.put(TOPIC, blob("b"), BOUNDS, 1n);
    states.push(await tagOf(TOPIC), await tagOf(TOPIC, 50n));
    await slots.put(OTHER, blob("b"), BOUNDS, 1n);
    assert.equal(await tagOf(OTHER), states[3]);
    await slots.put(OTHER, expiring, BOUNDS, 1n);
    states.push(await tagOf(OTHER));
    assert.equal(new Set(states).size, states.length);
    await slots.put(TOPIC, expiring, BOUNDS, 1n);
    assert.equal(await tagOf(TOPIC), states[2]);
  });

  storeTest("SLOT bounds on slots and bytes hold, and freed room is usable", async (_fixture, { slots }) => {
    const bounds = { ...BOUNDS, blobsPerSlot: 2, slotsTotal: 2, bytesTotal: 30 };
    const put = (slot: string, text: string, expiresAtNs: bigint, nowNs: bigint) =>
      slots.put(utf8(slot), blob(text, { expiresAtNs }), bounds, nowNs);
    await put("1", "ten bytes.", 5n, 1n);
    await put("2", "10 bytes..", 0n, 1n);
    await assert.rejects(put("3", "x", 0n, 1n), { code: "SLOTS_FULL" });
    await assert.rejects(put("2", "eleven byte", 0n, 1n), { code: "SLOTS_FULL" });
    await put("2", "10 bytes.!", 0n, 1n);
    await put("2", "10 bytes.?", 0n, 1n); // Evicts one: the sum stays at 30.
    assert.equal(await slots.sweep(5n, 0n), 1);
    await put("3", "x", 0n, 5n);
    assert.deepEqual(await texts(slots, { slotId: utf8("2"), nowNs: 5n }), ["10 bytes.!", "10 bytes.?"]);
  });
}
