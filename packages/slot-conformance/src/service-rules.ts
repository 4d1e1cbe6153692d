import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { concatBytes, toHex } from "@latchkey/mls";
import { testBlob, type SlotUnderTest } from "./slot-under-test.ts";

/** One rule of `docs/invite-slots.md` that holds whatever carries requests and answers. */
export interface ServiceRule {
  readonly title: string;
  /** Throws when the service breaks the rule; given a slot that nobody has used. */
  readonly check: (slot: SlotUnderTest) => Promise<void>;
}

/** More uploads than any service keeps: the slot has forgotten some of them. */
const MANY_UPLOADS = 40;
/** XIP-82. */
const LEAST_KEPT = 4;
/** How soon an expired blob is no longer served, in milliseconds: clocks may differ a little. */
const EXPIRY_PATIENCE_MS = 15_000;

async function store(slot: SlotUnderTest, ...blobs: Uint8Array[]): Promise<void> {
  for (const blob of blobs) assert.equal(await slot.put(blob), "stored");
}

const reading: ServiceRule[] = [
  {
    title: "a slot that nobody has used has no blobs",
    async check(slot) {
      assert.deepEqual(await slot.blobs(), []);
      assert.equal(await slot.has({ epoch: 7n, digest: randomBytes(32) }), false);
    },
  },
  {
    title: "a blob comes back byte for byte, unknown fields included",
    async check(slot) {
      // Field 15 as a varint: unknown today, and to be kept for those who know it.
      const blob = concatBytes(testBlob(), Uint8Array.of(0x78, 0x05));
      await store(slot, blob);
      assert.deepEqual(await slot.blobs(), [toHex(blob)]);
    },
  },
  {
    title: "look-up and existence by epoch and digest find exactly the blobs that claim both",
    async check(slot) {
      const digest = randomBytes(32);
      const wanted = testBlob({ epoch: 2n ** 64n - 1n, digest });
      await store(slot, wanted, testBlob({ epoch: 8n, digest }), testBlob({ epoch: 2n ** 64n - 1n }));
      assert.deepEqual(await slot.blobs({ epoch: 2n ** 64n - 1n, digest }), [toHex(wanted)]);
      assert.equal(await slot.has({ epoch: 8n, digest }), true);
      assert.equal(await slot.has({ epoch: 9n, digest }), false);
      assert.equal(await slot.has({ epoch: 8n, digest: randomBytes(32) }), false);
    },
  },
  {
    title: "an id has 4 to 64 bytes; any other length is REQUEST_INVALID",
    async check(slot) {
      for (const length of [4, 64]) await store(slot.other(toHex(randomBytes(length))), testBlob());
      for (const length of [3, 65]) {
        const other = slot.other(toHex(randomBytes(length)));
        assert.equal(await other.put(testBlob()), "REQUEST_INVALID");
        await assert.rejects(other.blobs(), { code: "REQUEST_INVALID" });
      }
    },
  },
];

const keeping: ServiceRule[] = [
  {
    title: "blobs are served newest last",
    async check(slot) {
      const blobs = [testBlob({ epoch: 9n }), testBlob({ epoch: 1n }), testBlob({ epoch: 5n })];
      await store(slot, ...blobs);
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
    },
  },
  {
    title: "the very same bytes again are kept once and do not move to the end",
    async check(slot) {
      const [first, second] = [testBlob(), testBlob()];
      await store(slot, first, second);
      assert.equal(await slot.put(first), "present");
      assert.deepEqual(await slot.blobs(), [toHex(first), toHex(second)]);
    },
  },
  {
    title: "blobs that differ in any field are different blobs, same epoch and digest or not",
    async check(slot) {
      const base = { nonce: randomBytes(12), ciphertext: randomBytes(64), digest: randomBytes(32), epoch: 3n };
      const blobs = [testBlob(base), testBlob({ ...base, nonce: randomBytes(12) }), testBlob({ ...base, epoch: 4n })];
      blobs.push(testBlob({ ...base, expiresAtNs: 2n ** 62n }));
      await store(slot, ...blobs);
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
    },
  },
  {
    title: `the last N uploads are kept, N at least ${LEAST_KEPT}, the one uploaded longest ago goes first`,
    async check(slot) {
      const blobs = Array.from({ length: MANY_UPLOADS }, () => testBlob());
      await store(slot, ...blobs);
      const kept = await slot.blobs();
      assert.ok(kept.length >= LEAST_KEPT && kept.length < MANY_UPLOADS, `${kept.length} blobs are kept`);
      assert.deepEqual(kept, blobs.slice(-kept.length).map(toHex));
    },
  },
  {
    title: "epochs play no part in what is evicted: a huge one displaces nothing and is displaced like others",
    async check(slot) {
      const blobs = [testBlob({ epoch: 5n })];
      for (let count = 1; count < LEAST_KEPT; count++) blobs.push(testBlob({ epoch: 2n ** 64n - 1n }));
      await store(slot, ...blobs);
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
      const later = Array.from({ length: MANY_UPLOADS }, () => testBlob({ epoch: 1n }));
      await store(slot, ...later);
      const kept = await slot.blobs();
      assert.deepEqual(kept, later.slice(-kept.length).map(toHex));
    },
  },
  {
    title: "slots have nothing to do with each other",
    async check(slot) {
      const blob = testBlob();
      await store(slot, blob);
      assert.deepEqual(await slot.other().blobs(), []);
      await store(slot.other(), blob);
    },
  },
  {
    title: "a blob that has expired is BLOB_EXPIRED and never served; one that expires is served no longer",
    async check(slot) {
      assert.equal(await slot.put(testBlob({ expiresAtNs: 1n })), "BLOB_EXPIRED");
      assert.deepEqual(await slot.blobs(), []);
      const lasting = testBlob();
      const expiresAtNs = BigInt(slot.clock.nowMs() + 2_000) * 1_000_000n;
      await store(slot, testBlob({ expiresAtNs }), lasting);
      const deadline = slot.clock.nowMs() + EXPIRY_PATIENCE_MS;
      while ((await slot.blobs()).length > 1 && slot.clock.nowMs() < deadline) await slot.clock.pass(200);
      assert.deepEqual(await slot.blobs(), [toHex(lasting)]);
    },
  },
];

const credentials: ServiceRule[] = [
  {
    title: "a slot that was begun without a credential takes uploads with and without one",
    async check(slot) {
      await store(slot, testBlob());
      assert.equal(await slot.put(testBlob(), { credential: randomBytes(32) }), "stored");
      await store(slot, testBlob());
    },
  },
  {
    title:
      "a slot that was begun with a credential takes no upload without it, if the service knows credentials at all",
    async check(slot) {
      const [mine, others] = [randomBytes(32), randomBytes(32)];
      const blobs = [testBlob(), testBlob()];
      for (const blob of blobs) assert.equal(await slot.put(blob, { credential: mine }), "stored");
      const without = await slot.put(testBlob());
      if (without === "stored") return;
      assert.equal(without, "SLOT_FORBIDDEN");
      assert.equal(await slot.put(testBlob(), { credential: others }), "SLOT_FORBIDDEN");
      assert.equal(await slot.put(testBlob(), { credential: others, next: others }), "SLOT_FORBIDDEN");
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
    },
  },
  {
    title:
      "the holder of the present credential, and nobody else, puts another in its place, if the service knows credentials",
    async check(slot) {
      const [before, after] = [randomBytes(32), randomBytes(32)];
      assert.equal(await slot.put(testBlob(), { credential: before }), "stored");
      if ((await slot.put(testBlob())) === "stored") return;
      assert.equal(await slot.put(testBlob(), { credential: after, next: after }), "SLOT_FORBIDDEN");
      assert.equal(await slot.put(testBlob(), { credential: before, next: after }), "stored");
      assert.equal(await slot.put(testBlob(), { credential: before }), "SLOT_FORBIDDEN");
      assert.equal(await slot.put(testBlob(), { credential: after }), "stored");
    },
  },
];

const refusals: ServiceRule[] = [
  {
    title: "anything but a blob of version 1 is REQUEST_INVALID and leaves nothing",
    async check(slot) {
      const wrong = [
        new Uint8Array(0),
        new TextEncoder().encode("garbage"),
        testBlob({ nonce: randomBytes(11) }),
        testBlob({ ciphertext: randomBytes(15) }),
        testBlob({ digest: undefined }),
        testBlob({ digest: randomBytes(31) }),
        testBlob().slice(0, -1),
      ];
      for (const blob of wrong) assert.equal(await slot.put(blob), "REQUEST_INVALID");
      assert.deepEqual(await slot.blobs(), []);
    },
  },
];

/** The rules of the service itself. */
export const SERVICE_RULES: readonly ServiceRule[] = [...reading, ...keeping, ...credentials, ...refusals];
