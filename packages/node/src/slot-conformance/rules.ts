import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { concatBytes, toHex } from "@latchkey/mls";
import { splitFrames, testBlob, type Answer, type SlotUnderTest } from "./slot-under-test.ts";

/** One rule of `docs/invite-slots.md`, looked at from outside. */
export interface SlotRule {
  readonly title: string;
  /** Throws when the service breaks the rule; given a slot that nobody has used. */
  readonly check: (slot: SlotUnderTest) => Promise<void>;
}

/** Uploads after which a slot has to have forgotten something: no service keeps so many. */
const MANY_UPLOADS = 40;
/** XIP-82. */
const LEAST_KEPT = 4;
/** A body that no service takes whole, in bytes. */
const ENDLESS_BYTES = 256 * 1024 * 1024;
/** How soon an expired blob is no longer served, in milliseconds: clocks may differ a little. */
const EXPIRY_PATIENCE_MS = 15_000;

function refused({ status, headers, body }: Answer, expected: number, code: string): void {
  assert.equal(status, expected);
  const told = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body)) as {
    code?: unknown;
    message?: unknown;
  };
  assert.equal(told.code, code, "the body's code");
  assert.equal(typeof told.message, "string", "the body's message");
  assert.equal(headers.get("x-latchkey-error"), code, "the header repeats the code");
}

async function store(slot: SlotUnderTest, ...blobs: Uint8Array[]): Promise<void> {
  for (const blob of blobs) assert.equal((await slot.put(blob)).status, 201);
}

const match = (epoch: bigint, digest: Uint8Array) => `?epoch=${epoch}&digest=${toHex(digest)}`;

const resource: SlotRule[] = [
  {
    title: "a slot that nobody has used is 404 NOT_FOUND to GET and HEAD",
    async check(slot) {
      refused(await slot.call("GET"), 404, "NOT_FOUND");
      const head = await slot.call("HEAD");
      assert.deepEqual([head.status, head.body.length], [404, 0]);
    },
  },
  {
    title: "a blob comes back byte for byte as one frame, unknown fields included, and is not cached",
    async check(slot) {
      // Field 15 as a varint: unknown today, and to be kept for those who know it.
      const blob = concatBytes(testBlob(), Uint8Array.of(0x78, 0x05));
      await store(slot, blob);
      const { status, headers, body } = await slot.call("GET");
      assert.equal(status, 200);
      assert.deepEqual(splitFrames(body).map(toHex), [toHex(blob)]);
      assert.equal(headers.get("x-latchkey-candidates"), "1");
      assert.equal(headers.get("content-type"), "application/octet-stream");
      assert.equal(headers.get("cache-control"), "no-store");
    },
  },
  {
    title: "an ETag names what GET gives; who sends it back gets 304 without a body, until something changes",
    async check(slot) {
      await store(slot, testBlob());
      const first = (await slot.call("GET")).headers.get("etag") ?? "";
      assert.match(first, /^"[^"]+"$/, "a strong tag");
      assert.equal((await slot.call("HEAD")).headers.get("etag"), first);
      for (const tags of [first, `"other", W/${first}`, "*"]) {
        const { status, headers, body } = await slot.call("GET", "", undefined, { "if-none-match": tags });
        assert.deepEqual([status, headers.get("etag"), body.length], [304, first, 0], tags);
      }
      assert.equal((await slot.call("GET", "", undefined, { "if-none-match": '"other"' })).status, 200);
      await store(slot, testBlob());
      const changed = await slot.call("GET", "", undefined, { "if-none-match": first });
      assert.deepEqual([changed.status, splitFrames(changed.body).length], [200, 2]);
      assert.notEqual(changed.headers.get("etag"), first);
      const empty = await slot.other().call("GET", "", undefined, { "if-none-match": "*" });
      refused(empty, 404, "NOT_FOUND");
    },
  },
  {
    title: "GET with ?joining answers as GET; the number of those who wait, where it is told, is a number",
    async check(slot) {
      const blob = testBlob();
      await store(slot, blob);
      const { status, headers, body } = await slot.call("GET", "?joining=1");
      assert.equal(status, 200);
      assert.deepEqual(splitFrames(body).map(toHex), [toHex(blob)]);
      assert.match(headers.get("x-latchkey-waiting") ?? "0", /^\d{1,9}$/);
    },
  },
  {
    title: "HEAD answers as GET without the body",
    async check(slot) {
      await store(slot, testBlob(), testBlob());
      const { status, headers, body } = await slot.call("HEAD");
      assert.deepEqual([status, headers.get("x-latchkey-candidates"), body.length], [200, "2", 0]);
    },
  },
  {
    title: "look-up and existence by epoch and digest find exactly the blobs that claim both",
    async check(slot) {
      const digest = randomBytes(32);
      const wanted = testBlob({ epoch: 2n ** 64n - 1n, digest });
      await store(slot, wanted, testBlob({ epoch: 8n, digest }), testBlob({ epoch: 2n ** 64n - 1n }));
      assert.deepEqual(await slot.blobs(match(2n ** 64n - 1n, digest)), [toHex(wanted)]);
      assert.equal((await slot.call("HEAD", match(8n, digest))).status, 200);
      assert.equal((await slot.call("HEAD", match(9n, digest))).status, 404);
      assert.equal((await slot.call("HEAD", match(8n, randomBytes(32)))).status, 404);
    },
  },
  {
    title: "the id is 4 to 64 bytes in hex of either case; anything else is 400 REQUEST_INVALID",
    async check(slot) {
      const id = toHex(randomBytes(16));
      const blob = testBlob();
      await store(slot.other(id.toUpperCase()), blob);
      assert.deepEqual(await slot.other(id).blobs(), [toHex(blob)]);
      for (const length of [4, 64]) await store(slot.other(toHex(randomBytes(length))), testBlob());
      for (const wrong of ["001122", "00".repeat(65), "0011223", "zz112233"]) {
        refused(await slot.other(wrong).call("GET"), 400, "REQUEST_INVALID");
      }
    },
  },
  {
    title: "a query that is no pair of epoch and digest is 400 REQUEST_INVALID",
    async check(slot) {
      const digest = "09".repeat(32);
      const queries = ["epoch=1", `digest=${digest}`, `epoch=-1&digest=${digest}`, `epoch=01&digest=${digest}`];
      queries.push(`epoch=${2n ** 64n}&digest=${digest}`, "epoch=1&digest=0011");
      for (const query of queries) refused(await slot.call("GET", `?${query}`), 400, "REQUEST_INVALID");
    },
  },
];

const keeping: SlotRule[] = [
  {
    title: "blobs are served newest last",
    async check(slot) {
      const blobs = [testBlob({ epoch: 9n }), testBlob({ epoch: 1n }), testBlob({ epoch: 5n })];
      await store(slot, ...blobs);
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
    },
  },
  {
    title: "the very same bytes again are 200, are kept once, and do not move to the end",
    async check(slot) {
      const [first, second] = [testBlob(), testBlob()];
      await store(slot, first, second);
      assert.equal((await slot.put(first)).status, 200);
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
    title: "a blob that has expired is 400 BLOB_EXPIRED and never served; one that expires is served no longer",
    async check(slot) {
      refused(await slot.put(testBlob({ expiresAtNs: 1n })), 400, "BLOB_EXPIRED");
      assert.deepEqual(await slot.blobs(), []);
      const lasting = testBlob();
      const expiresAtNs = BigInt(Date.now() + 2_000) * 1_000_000n;
      await store(slot, testBlob({ expiresAtNs }), lasting);
      const deadline = Date.now() + EXPIRY_PATIENCE_MS;
      while ((await slot.blobs()).length > 1 && Date.now() < deadline) await wait(200);
      assert.deepEqual(await slot.blobs(), [toHex(lasting)]);
    },
  },
];

/** A fresh write credential: the header that shows it, and the header that puts it in the place of another. */
function credential() {
  const token = randomBytes(32);
  const next = createHash("sha256").update(token).digest("base64url");
  return {
    shown: { authorization: `Bearer ${token.toString("base64url")}` },
    next: { "x-latchkey-next-credential": next },
  };
}

const credentials: SlotRule[] = [
  {
    title: "a slot that was begun without a credential takes uploads with and without one",
    async check(slot) {
      await store(slot, testBlob());
      assert.equal((await slot.put(testBlob(), credential().shown)).status, 201);
      await store(slot, testBlob());
    },
  },
  {
    title:
      "a slot that was begun with a credential takes no upload without it, if the service knows credentials at all",
    async check(slot) {
      const [mine, others] = [credential(), credential()];
      const blobs = [testBlob(), testBlob()];
      for (const blob of blobs) assert.equal((await slot.put(blob, mine.shown)).status, 201);
      const without = await slot.put(testBlob());
      if (without.status === 201) return;
      refused(without, 403, "SLOT_FORBIDDEN");
      refused(await slot.put(testBlob(), others.shown), 403, "SLOT_FORBIDDEN");
      refused(await slot.put(testBlob(), { ...others.shown, ...others.next }), 403, "SLOT_FORBIDDEN");
      assert.deepEqual(await slot.blobs(), blobs.map(toHex));
    },
  },
  {
    title:
      "the holder of the present credential, and nobody else, puts another in its place, if the service knows credentials",
    async check(slot) {
      const [before, after] = [credential(), credential()];
      const upload = async (headers: Record<string, string>) => (await slot.put(testBlob(), headers)).status;
      assert.equal(await upload(before.shown), 201);
      if ((await upload({})) === 201) return;
      assert.equal(await upload({ ...after.shown, ...after.next }), 403);
      assert.equal(await upload({ ...before.shown, ...after.next }), 201);
      assert.deepEqual([await upload(before.shown), await upload(after.shown)], [403, 201]);
      refused(await slot.put(testBlob(), { authorization: "Bearer no" }), 400, "REQUEST_INVALID");
    },
  },
];

const refusals: SlotRule[] = [
  {
    title: "what is no blob of version 1 is 400 REQUEST_INVALID and leaves nothing",
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
      for (const blob of wrong) refused(await slot.put(blob), 400, "REQUEST_INVALID");
      assert.deepEqual(await slot.blobs(), []);
    },
  },
  {
    title: "methods other than GET, HEAD, PUT and OPTIONS are 405 METHOD_NOT_ALLOWED",
    async check(slot) {
      for (const method of ["POST", "DELETE", "PATCH"]) {
        refused(await slot.call(method), 405, "METHOD_NOT_ALLOWED");
      }
    },
  },
  {
    title: "a body without end is not taken: 413, or the connection is cut; the service goes on",
    async check(slot) {
      let sent = 0;
      const chunk = new Uint8Array(256 * 1024);
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += chunk.length;
          if (sent > ENDLESS_BYTES) controller.close();
          else controller.enqueue(chunk);
        },
      });
      const status = await slot.call("PUT", "", body).then(
        (answer) => answer.status,
        () => 413,
      );
      assert.equal(status, 413);
      assert.ok(sent < ENDLESS_BYTES, "the service read all of it");
      await store(slot, testBlob());
    },
  },
  {
    title: "browsers of any origin may read answers, and the headers they need",
    async check(slot) {
      const preflight = await slot.call("OPTIONS");
      assert.ok(preflight.status === 200 || preflight.status === 204, `OPTIONS is answered with ${preflight.status}`);
      await store(slot, testBlob());
      const { headers } = await slot.call("GET");
      assert.equal(headers.get("access-control-allow-origin"), "*");
      const exposed = headers.get("access-control-expose-headers")?.toLowerCase() ?? "";
      for (const name of ["x-latchkey-candidates", "etag"]) assert.ok(exposed.includes(name), `${name} is exposed`);
      assert.match(preflight.headers.get("access-control-allow-headers")?.toLowerCase() ?? "", /if-none-match/);
    },
  },
];

/** The written contract of invite slots, rule by rule. */
export const SLOT_RULES: readonly SlotRule[] = [...resource, ...keeping, ...credentials, ...refusals];
