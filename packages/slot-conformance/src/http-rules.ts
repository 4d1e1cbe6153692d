import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { concatBytes, toHex } from "@latchkey/mls";
import { refused, splitFrames, type HttpSlot } from "./http-slot.ts";
import { testBlob } from "./slot-under-test.ts";

/** One rule of `docs/invite-slots.md` about requests and answers of HTTP. */
export interface HttpRule {
  readonly title: string;
  /** Throws when the service breaks the rule; given a slot that nobody has used. */
  readonly check: (slot: HttpSlot) => Promise<void>;
}

/** A body that no service takes whole, in bytes. */
const ENDLESS_BYTES = 256 * 1024 * 1024;

async function store(slot: HttpSlot, ...blobs: Uint8Array[]): Promise<void> {
  for (const blob of blobs) assert.equal(await slot.put(blob), "stored");
}

const resource: HttpRule[] = [
  {
    title: "a slot that nobody has used is 404 NOT_FOUND to GET and HEAD",
    async check(slot) {
      refused(await slot.call("GET"), "NOT_FOUND");
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
      refused(empty, "NOT_FOUND");
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
    title: "the id is hex of either case; anything else is 400 REQUEST_INVALID",
    async check(slot) {
      const id = toHex(randomBytes(16));
      const blob = testBlob();
      await store(slot.other(id.toUpperCase()), blob);
      assert.deepEqual(await slot.other(id).blobs(), [toHex(blob)]);
      for (const wrong of ["0011223", "zz112233"]) {
        refused(await slot.other(wrong).call("GET"), "REQUEST_INVALID");
      }
    },
  },
  {
    title: "a query that is no pair of epoch and digest is 400 REQUEST_INVALID",
    async check(slot) {
      const digest = "09".repeat(32);
      const queries = ["epoch=1", `digest=${digest}`, `epoch=-1&digest=${digest}`, `epoch=01&digest=${digest}`];
      queries.push(`epoch=${2n ** 64n}&digest=${digest}`, "epoch=1&digest=0011");
      for (const query of queries) refused(await slot.call("GET", `?${query}`), "REQUEST_INVALID");
    },
  },
];

const refusals: HttpRule[] = [
  {
    title: "an upload is 201 when it is stored and 200 when the slot has it; a credential that cannot be read is 400",
    async check(slot) {
      const blob = Buffer.from(testBlob());
      assert.equal((await slot.call("PUT", "", blob)).status, 201);
      assert.equal((await slot.call("PUT", "", blob)).status, 200);
      refused(await slot.call("PUT", "", blob, { authorization: "Bearer no" }), "REQUEST_INVALID");
    },
  },
  {
    title: "methods other than GET, HEAD, PUT and OPTIONS are 405 METHOD_NOT_ALLOWED",
    async check(slot) {
      for (const method of ["POST", "DELETE", "PATCH"]) {
        refused(await slot.call(method), "METHOD_NOT_ALLOWED");
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

/** The rules of the service over HTTP. */
export const HTTP_RULES: readonly HttpRule[] = [...resource, ...refusals];
