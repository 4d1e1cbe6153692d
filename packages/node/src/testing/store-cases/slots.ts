import assert from "node:assert/strict";
import { utf8 } from "@latchkey/mls";
import type { SlotBlob, SlotPage, SlotQuery, Store } from "../../storage/storage.ts";
import { OTHER, sha256, TOPIC, type StoreTest } from "./fixture.ts";

const BOUNDS = { blobsPerSlot: 8, slotsTotal: 100, bytesTotal: 100_000, lifeNs: 1_000n };

function blob(text: string, fields: Partial<SlotBlob> = {}): SlotBlob {
  return { epoch: 7n, digest: sha256(utf8("digest")), expiresAtNs: 0n, bytes: utf8(text), ...fields };
}

/** Cases of the invite slots. */
export function describeSlots(storeTest: StoreTest): void {
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
