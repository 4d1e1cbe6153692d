import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { describe, test } from "node:test";
import { equalBytes, toHex, utf8 } from "@latchkey/mls";
import { closed, slotBlob, startNode, temporaryDirectory } from "./testing/support.ts";

const SLOT = "00112233445566778899aabbccddeeff";
const DIGEST = toHex(new Uint8Array(32).fill(9));

function slotUrl(url: string, slot = SLOT): string {
  return `${url}/v1/slots/${slot}`;
}

async function put(url: string, blob: Uint8Array, slot = SLOT): Promise<number> {
  const response = await fetch(slotUrl(url, slot), { method: "PUT", body: Buffer.from(blob) });
  await response.body?.cancel();
  return response.status;
}

/** Status, candidate count and the blobs of a look-up. */
async function get(url: string, query = ""): Promise<{ status: number; count: string | null; blobs: Buffer[] }> {
  const response = await fetch(`${slotUrl(url)}${query}`);
  const count = response.headers.get("x-latchkey-candidates");
  const body = Buffer.from(await response.arrayBuffer());
  const blobs: Buffer[] = [];
  for (let at = 0; response.ok && at < body.length;) {
    const end = at + 4 + body.readUInt32BE(at);
    blobs.push(body.subarray(at + 4, end));
    at = end;
  }
  return { status: response.status, count, blobs };
}

async function refusal(response: Response): Promise<[number, string]> {
  const body = (await response.json()) as { code: string; message: string };
  assert.equal(typeof body.message, "string");
  assert.equal(response.headers.get("x-latchkey-error"), body.code);
  return [response.status, body.code];
}

describe("invite slots", () => {
  test("SLOT uploads come back as frames, newest last; an identical one is 200 and counted once", async (t) => {
    const { url } = await startNode(t);
    assert.deepEqual(await refusal(await fetch(slotUrl(url))), [404, "NOT_FOUND"]);
    const [first, second] = [slotBlob("first"), slotBlob("second", { epoch: 3n })];
    assert.deepEqual([await put(url, first), await put(url, second), await put(url, first)], [201, 201, 200]);
    const { status, count, blobs } = await get(url);
    assert.deepEqual([status, count, blobs.length], [200, "2", 2]);
    assert.ok(equalBytes(blobs[0] ?? utf8(""), first) && equalBytes(blobs[1] ?? utf8(""), second));
  });

  test("SLOT X82-13: junk that claims a huge epoch does not displace the genuine blob", async (t) => {
    const { url } = await startNode(t);
    const genuine = slotBlob("genuine");
    await put(url, genuine);
    for (let i = 0; i < 7; i++) await put(url, slotBlob(`junk ${i}`, { epoch: 2n ** 64n - 1n }));
    const { blobs } = await get(url);
    assert.ok(blobs.length === 8 && equalBytes(blobs[0] ?? utf8(""), genuine));
  });

  test("SLOT X82-25: after 8 newer blobs the oldest is gone, and can be uploaded again", async (t) => {
    const { url } = await startNode(t);
    const genuine = slotBlob("genuine");
    await put(url, genuine);
    for (let i = 0; i < 8; i++) await put(url, slotBlob(`junk ${i}`));
    assert.ok((await get(url)).blobs.every((blob) => !equalBytes(blob, genuine)));
    assert.equal(await put(url, genuine), 201);
    assert.ok(equalBytes((await get(url)).blobs.at(-1) ?? utf8(""), genuine));
  });

  test("SLOT X82-24: HEAD tells existence, also by epoch and digest; GET with both looks up", async (t) => {
    const { url } = await startNode(t);
    const blob = slotBlob("blob", { epoch: 2n ** 64n - 1n });
    const head = async (query = "") => {
      const response = await fetch(`${slotUrl(url)}${query}`, { method: "HEAD" });
      return [response.status, response.headers.get("x-latchkey-candidates")];
    };
    assert.deepEqual(await head(), [404, null]);
    await put(url, blob);
    await put(url, slotBlob("other"));
    assert.deepEqual(await head(), [200, "2"]);
    const epoch = (2n ** 64n - 1n).toString();
    assert.deepEqual(await head(`?epoch=${epoch}&digest=${DIGEST}`), [200, "1"]);
    assert.deepEqual(await head(`?epoch=8&digest=${DIGEST}`), [404, null]);
    assert.deepEqual(await head(`?epoch=${epoch}&digest=${"00".repeat(32)}`), [404, null]);
    const found = await get(url, `?epoch=${epoch}&digest=${DIGEST}`);
    assert.ok(found.blobs.length === 1 && equalBytes(found.blobs[0] ?? utf8(""), blob));
  });

  test("SLOT X82-08: expired blobs are refused on upload and not served once their time has come", async (t) => {
    let nowNs = 1_000n;
    const { url } = await startNode(t, { clock: { wallNs: () => nowNs, monotonicNs: () => nowNs } });
    const late = await fetch(slotUrl(url), {
      method: "PUT",
      body: Buffer.from(slotBlob("x", { expiresAtNs: 1_000n })),
    });
    assert.deepEqual(await refusal(late), [400, "BLOB_EXPIRED"]);
    await put(url, slotBlob("soon", { expiresAtNs: 2_000n }));
    await put(url, slotBlob("never"));
    assert.equal((await get(url)).count, "2");
    nowNs = 2_000n;
    assert.equal((await get(url)).count, "1");
  });

  test("SLOT contents survive a restart", async (t) => {
    const dataDir = temporaryDirectory(t);
    const before = await startNode(t, { dataDir });
    await put(before.url, slotBlob("blob"));
    await before.close();
    assert.equal((await get((await startNode(t, { dataDir })).url)).count, "1");
  });

  test("SLOT malformed ids, queries and blobs are 400 with a code, other methods 405", async (t) => {
    const { url } = await startNode(t);
    const body = Buffer.from(slotBlob("blob"));
    for (const slot of ["", "xyz", "001122", "00112", "00".repeat(65), `${SLOT}/more`, "%00%01%02%03"]) {
      assert.deepEqual(await refusal(await fetch(slotUrl(url, slot), { method: "PUT", body })), [
        400,
        "REQUEST_INVALID",
      ]);
    }
    const queries = ["epoch=1", `digest=${DIGEST}`, `epoch=-1&digest=${DIGEST}`, `epoch=01&digest=${DIGEST}`];
    queries.push(`epoch=${2n ** 64n}&digest=${DIGEST}`, "epoch=1&digest=0011", "epoch=1&digest=zz");
    for (const query of queries) {
      assert.deepEqual(await refusal(await fetch(`${slotUrl(url)}?${query}`)), [400, "REQUEST_INVALID"], query);
    }
    const blobs = [
      new Uint8Array(),
      utf8("garbage"),
      slotBlob("x", { nonce: new Uint8Array(11) }),
      slotBlob("x", { ciphertext: new Uint8Array(15) }),
      slotBlob("x", { groupStateHash: undefined }),
      slotBlob("x").subarray(0, -1),
    ];
    for (const blob of blobs) {
      const response = await fetch(slotUrl(url), { method: "PUT", body: Buffer.from(blob) });
      assert.deepEqual(await refusal(response), [400, "REQUEST_INVALID"]);
    }
    assert.deepEqual(await refusal(await fetch(slotUrl(url), { method: "DELETE" })), [405, "METHOD_NOT_ALLOWED"]);
    assert.equal((await get(url)).status, 404);
  });

  test("SLOT SEC-11: a blob beyond the limit is 413, announced or endless", async (t) => {
    const { url } = await startNode(t, { limits: { slotBlobBytes: 100_000, lingerMs: 100 } });
    const announced = await fetch(slotUrl(url), { method: "PUT", body: Buffer.alloc(100_001) });
    assert.deepEqual(await refusal(announced), [413, "REQUEST_TOO_LARGE"]);

    const endless = request(slotUrl(url), { method: "PUT" });
    const cut = closed(endless); // The node closes the connection under us.
    const feed = (error?: Error | null): void => {
      if (!error && !endless.destroyed) endless.write(Buffer.alloc(50_000), feed);
    };
    feed();
    const [response] = (await once(endless, "response")) as [{ statusCode: number; resume(): void }];
    assert.equal(response.statusCode, 413);
    response.resume();
    await cut;
  });

  test("SLOT uploads and look-ups work over HTTP/2 too", async (t) => {
    const { url } = await startNode(t);
    const session = connectHttp2(url);
    t.after(() => session.destroy());
    const call = async (method: string, body?: Uint8Array) => {
      const stream = session.request({ ":method": method, ":path": `/v1/slots/${SLOT}` });
      stream.end(body);
      const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
      const chunks: Buffer[] = [];
      for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
      return { status: headers[":status"], body: Buffer.concat(chunks) };
    };
    assert.equal((await call("PUT", slotBlob("blob"))).status, 201);
    const { status, body } = await call("GET");
    assert.equal(status, 200);
    assert.ok(equalBytes(body.subarray(4), slotBlob("blob")));
  });

  test("SLOT a slot closed by a credential refuses whoever has none, before their upload is read or counted", async (t) => {
    const { url } = await startNode(t, { limits: { slotUploadBurst: 3, slotUploadPerSecond: 0.001 } });
    const credential = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
    const upload = async (text: string, headers: Record<string, string>) =>
      fetch(slotUrl(url), { method: "PUT", headers, body: Buffer.from(slotBlob(text)) });
    const bearer = (byte: number) => ({ authorization: `Bearer ${credential(byte)}` });
    assert.equal((await upload("a", bearer(1))).status, 201);
    for (let count = 0; count < 5; count++) {
      assert.deepEqual(await refusal(await upload("junk", count % 2 === 0 ? {} : bearer(2))), [403, "SLOT_FORBIDDEN"]);
    }
    const next = createHash("sha256").update(Buffer.alloc(32, 2)).digest("base64url");
    assert.equal((await upload("b", { ...bearer(1), "x-latchkey-next-credential": next })).status, 201);
    assert.deepEqual(await refusal(await upload("c", bearer(1))), [403, "SLOT_FORBIDDEN"]);
    assert.equal((await upload("c", bearer(2))).status, 201);
    assert.equal((await get(url)).count, "3", "reading needs no credential");
    for (const headers of [{ authorization: "Bearer short" }, { "x-latchkey-next-credential": next }]) {
      assert.deepEqual(await refusal(await upload("d", headers)), [400, "REQUEST_INVALID"]);
    }
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /slot_uploads_total\{outcome="forbidden"\} 6/);
  });

  test("LIMIT uploads per slot and requests per address are 429 with Retry-After", async (t) => {
    const limits = { slotUploadBurst: 2, slotUploadPerSecond: 0.001, slotAddressBurst: 6, slotAddressPerSecond: 0.001 };
    const { url } = await startNode(t, { limits });
    await put(url, slotBlob("1"));
    await put(url, slotBlob("2"));
    const third = await fetch(slotUrl(url), { method: "PUT", body: Buffer.from(slotBlob("3")) });
    assert.ok(Number(third.headers.get("retry-after")) > 100);
    assert.deepEqual(await refusal(third), [429, "RATE_LIMITED"]);
    assert.equal((await get(url)).count, "2", "reading is not limited by uploads");
    assert.equal(await put(url, slotBlob("1"), "aabbccdd"), 201, "other slots are not limited");
    await get(url);
    assert.equal((await get(url)).status, 429);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /rate_limited_total\{scope="slot_uploads"\} 1/);
    assert.match(metrics, /rate_limited_total\{scope="slot_address"\} 1/);
  });

  test("LIMIT a service with all its slots taken answers 507 to new ones and still serves", async (t) => {
    const { url } = await startNode(t, { limits: { slotsTotal: 1 } });
    await put(url, slotBlob("1"));
    const response = await fetch(slotUrl(url, "aabbccdd"), { method: "PUT", body: Buffer.from(slotBlob("1")) });
    assert.deepEqual(await refusal(response), [507, "SLOTS_FULL"]);
    assert.equal(await put(url, slotBlob("2")), 201);
  });
});

test("SLOT a joiner is told how many others have come and not uploaded; looking is not counted", async (t) => {
  const { url } = await startNode(t);
  await put(url, slotBlob("blob"));
  const waiting = async (query = "") => {
    const response = await fetch(`${slotUrl(url)}${query}`);
    await response.body?.cancel();
    return response.headers.get("x-latchkey-waiting");
  };
  assert.deepEqual([await waiting(), await waiting()], ["0", "0"]);
  assert.deepEqual([await waiting("?joining=1"), await waiting("?joining=1"), await waiting()], ["0", "1", "2"]);
  await put(url, slotBlob("of the first who is in"));
  assert.equal(await waiting(), "1");
  await put(url, slotBlob("of the first who is in"));
  assert.equal(await waiting(), "1");

  test("TRU-19 an address may fill slots for a while only, and an upload says until when it is served", async (t) => {
    const day = 86_400_000_000_000n;
    const { url } = await startNode(t, {
      trustForwardedFor: true,
      nowNs: () => 1_000n * day,
      limits: { slotMinBytes: 1_000, slotBytesBurst: 1_500, slotBytesPerSecond: 1 },
    });
    const upload = (slot: string, address: string, expiresAtNs = 0n) =>
      fetch(`${url}/v1/slots/${slot}`, {
        method: "PUT",
        body: Buffer.from(slotBlob("a blob", { expiresAtNs })),
        headers: { "x-forwarded-for": address },
      });
    const servedUntil = (response: Response) => BigInt(response.headers.get("x-latchkey-served-until") ?? 0) / day;
    const first = await upload("00000001", "192.0.2.1");
    assert.deepEqual([first.status, servedUntil(first)], [201, 1_400n]);
    const second = await upload("00000002", "192.0.2.1", 1_001n * day);
    assert.deepEqual([second.status, servedUntil(second)], [201, 1_001n]);
    const third = await upload("00000003", "192.0.2.1");
    assert.deepEqual([third.status, Number(third.headers.get("retry-after")) > 400], [429, true]);
    const other = await upload("00000003", "192.0.2.2", 2n ** 64n - 1n);
    assert.deepEqual([other.status, servedUntil(other)], [201, 1_400n]);
  });
});
