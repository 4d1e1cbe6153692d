import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import { test, type TestContext } from "node:test";
import { encode } from "@latchkey/mls";
import { CLIENT_LIMITS } from "../limits.ts";
import { servicePointer, serviceUrlOf } from "./service.ts";
import { checkedServiceUrl, httpSlots, slotKeys, splitFrames } from "./slots.ts";
import type { Slot } from "../transport/slot-service.ts";

/** A service on this machine that answers as told. */
async function serve(t: TestContext, listener: RequestListener): Promise<Slot> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { serviceUrl: `http://127.0.0.1:${address.port}`, externalGroupId: Uint8Array.of(0xab, 0xcd, 1, 2) };
}

function frames(...blobs: Uint8Array[]): Uint8Array {
  return encode(blobs, (writer) => {
    for (const blob of blobs) {
      writer.u32(blob.length);
      writer.bytes(blob);
    }
  });
}

test("an invite service is https, or http on this machine; credentials, query and fragment are dropped", () => {
  const good: [string, string][] = [
    ["https://Invites.Example/base/", "https://invites.example/base"],
    ["https://user:secret@invites.example/?key=1#fragment", "https://invites.example"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["http://[::1]:1/x", "http://[::1]:1/x"],
    ["http://localhost", "http://localhost"],
  ];
  for (const [text, expected] of good) assert.equal(checkedServiceUrl(text), expected);
  for (const text of ["http://invites.example", "ftp://x", "file:///etc/passwd", "https://", "nonsense", ""]) {
    assert.equal(checkedServiceUrl(text), undefined);
  }
});

test("a service on this machine is named by an opaque pointer, any other by its https address", () => {
  for (const url of ["https://invites.example/base", "http://127.0.0.1:8080"]) {
    assert.equal(serviceUrlOf(servicePointer(url)), url);
  }
  assert.equal(servicePointer("https://invites.example").kind, "https_url");
  assert.equal(servicePointer("http://127.0.0.1:8080").kind, "opaque");
  assert.equal(serviceUrlOf({ kind: "opaque", bytes: Uint8Array.of(0xff, 0xfe) }), undefined);
  assert.equal(serviceUrlOf(undefined), undefined);
  assert.throws(() => servicePointer("http://invites.example"), { code: "INVITE_MALFORMED" });
});

test("SEC-11 of a slot's answer the newest blobs are kept; one that is cut off ends the list", () => {
  const blobs = Array.from({ length: 20 }, (_, index) => Uint8Array.of(index));
  const kept = splitFrames(frames(...blobs));
  assert.deepEqual(kept, blobs.slice(-CLIENT_LIMITS.maxCandidates));
  assert.deepEqual(splitFrames(frames(Uint8Array.of(1, 2), Uint8Array.of(3, 4)).slice(0, -1)), [Uint8Array.of(1, 2)]);
  assert.deepEqual(splitFrames(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)), []);
  assert.deepEqual(splitFrames(new Uint8Array(0)), []);
});

test("blobs go to and come from the slot's address; existence is asked by epoch and digest", async (t) => {
  const asked: string[] = [];
  const slot = await serve(t, (request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (request.method === "GET") response.end(frames(Uint8Array.of(7)));
    else response.writeHead(request.method === "HEAD" ? 404 : 201).end();
    request.resume();
  });
  await httpSlots.upload(slot, Uint8Array.of(1));
  assert.deepEqual((await httpSlots.fetch(slot)).blobs, [Uint8Array.of(7)]);
  assert.equal(await httpSlots.exists(slot, 5n, Uint8Array.of(0xee)), false);
  assert.deepEqual(asked, [
    "PUT /v1/slots/abcd0102",
    "GET /v1/slots/abcd0102",
    "HEAD /v1/slots/abcd0102?epoch=5&digest=ee",
  ]);
});

test("what was fetched before is not sent again; tags and numbers that make no sense are left out", async (t) => {
  const asked: (string | undefined)[] = [];
  let answer: Record<string, string> = { etag: '"one"', "x-latchkey-waiting": "17" };
  const slot = await serve(t, (request, response) => {
    asked.push(request.headers["if-none-match"]);
    const known = request.headers["if-none-match"] === answer["etag"];
    response.writeHead(known ? 304 : 200, answer).end(known ? undefined : frames(Uint8Array.of(7)));
  });
  const fresh = { blobs: [Uint8Array.of(7)], tag: '"one"', waiting: 17 };
  assert.deepEqual(await httpSlots.fetch(slot), fresh);
  assert.deepEqual(await httpSlots.fetch(slot, { unless: '"one"' }), { ...fresh, blobs: undefined });
  assert.deepEqual(await httpSlots.fetch(slot, { unless: '"zero"' }), fresh);
  assert.deepEqual(asked, [undefined, '"one"', '"zero"']);
  for (const etag of ["", "one", 'W/"one"', `"${"x".repeat(200)}"`]) {
    answer = { etag, "x-latchkey-waiting": etag === "" ? "-1" : "many" };
    assert.deepEqual(await httpSlots.fetch(slot), { ...fresh, tag: undefined, waiting: undefined });
  }
});

test("SEC-11 a service that claims that nothing has changed when nobody asked is refused", async (t) => {
  const slot = await serve(t, (_request, response) => void response.writeHead(304).end());
  await assert.rejects(httpSlots.fetch(slot), { code: "NODE_REJECTED" });
});

test("an upload shows the present credential and the one before, then all from the oldest on, each to be replaced by it", async (t) => {
  const seen: (string | undefined)[][] = [];
  let admitted = 3;
  const slot = await serve(t, (request, response) => {
    const next = request.headers["x-latchkey-next-credential"];
    seen.push([request.headers.authorization, next === undefined ? undefined : String(next)]);
    request.resume();
    const status = seen.length === admitted ? 201 : 403;
    response.writeHead(status, status === 403 ? { "x-latchkey-error": "SLOT_FORBIDDEN" } : {}).end();
  });
  const text = (byte: number) => Buffer.alloc(32, byte).toString("base64url");
  const bytes = (byte: number) => new Uint8Array(32).fill(byte);
  const credentials = { current: bytes(1), currentHash: bytes(9), earlier: [bytes(2), bytes(3)] };
  const all = [
    [`Bearer ${text(1)}`, undefined],
    [`Bearer ${text(2)}`, text(9)],
    [`Bearer ${text(3)}`, text(9)],
    [`Bearer ${text(2)}`, text(9)],
    [`Bearer ${text(1)}`, undefined],
  ];
  await httpSlots.upload({ ...slot, credentials }, Uint8Array.of(1));
  assert.deepEqual(seen.splice(0), all.slice(0, 3));
  admitted = 1;
  await httpSlots.upload({ ...slot, credentials }, Uint8Array.of(1));
  assert.deepEqual(seen.splice(0), all.slice(0, 1));
  admitted = 9;
  await assert.rejects(httpSlots.upload({ ...slot, credentials }, Uint8Array.of(1)), { code: "INVITE_SLOT_CLOSED" });
  assert.deepEqual(seen.splice(0), all);
  await assert.rejects(httpSlots.upload(slot, Uint8Array.of(1)), { code: "INVITE_SLOT_CLOSED" });
  assert.deepEqual(seen, [[undefined, undefined]]);
});

test("a slot whose credential others replace while an upload tries them is written all the same, whenever they do", () => {
  const earlier = [4, 3, 2, 1].map((byte) => Uint8Array.of(byte));
  for (let known = 0; known <= earlier.length; known++) {
    const keys = slotKeys({
      current: Uint8Array.of(5),
      currentHash: Uint8Array.of(9),
      earlier: earlier.slice(0, known),
    });
    assert.ok(keys.length <= known + 4);
    const shown = keys.map(({ credential }) => credential[0] ?? 0);
    // Every way in which the slot's credential can grow during the attempts, from any that is known.
    const admits = (at: number, held: number): boolean =>
      shown[at] === held || (at < shown.length && [1, 2, 3, 4, 5].every((next) => next < held || admits(at + 1, next)));
    for (let held = 5 - known; held <= 5; held++) assert.ok(admits(0, held), `${known} known, ${held} held`);
  }
});

test("REV-07 answers of the service have their codes", async (t) => {
  let status = 200;
  const slot = await serve(t, (request, response) => {
    request.resume();
    response.writeHead(status, { "retry-after": "3" }).end();
  });
  const codes: [number, string, number | undefined][] = [
    [404, "INVITE_UNKNOWN_SLOT", undefined],
    [429, "RATE_LIMITED", 3_000],
    [503, "NODE_UNREACHABLE", 3_000],
    [400, "NODE_REJECTED", undefined],
  ];
  for (const [answer, code, retryAfterMs] of codes) {
    status = answer;
    await assert.rejects(httpSlots.fetch(slot), { code, retryAfterMs });
  }
  status = 413;
  await assert.rejects(httpSlots.upload(slot, Uint8Array.of(1)), { code: "NODE_REJECTED" });
  await assert.rejects(httpSlots.exists(slot, 1n, Uint8Array.of(1)), { code: "NODE_REJECTED" });
  const nowhere = { ...slot, serviceUrl: "http://invites.example" };
  await assert.rejects(httpSlots.fetch(nowhere), { code: "INVITE_MALFORMED" });
});

test("SEC-11 a body without end is cut off at the limit", async (t) => {
  const slot = await serve(t, (_request, response) => {
    const chunk = Buffer.alloc(1024 * 1024);
    const send = () => {
      while (response.write(chunk)) continue;
      response.once("drain", send);
    };
    response.on("error", () => undefined);
    send();
  });
  await assert.rejects(httpSlots.fetch(slot), { code: "NODE_REJECTED" });
});

test("a caller who stops gets the reason, not a network error", async (t) => {
  const stopping = new AbortController();
  const slot = await serve(t, (_request, response) => {
    response.writeHead(200);
    response.write(Uint8Array.of(0));
    stopping.abort(new Error("stopped"));
  });
  await assert.rejects(httpSlots.fetch(slot, { signal: stopping.signal }), { message: "stopped" });
});

test("SEC-11 a service that answers one byte at a time is left when the time of the call is over: NODE_UNREACHABLE", async (t) => {
  const over = new AbortController();
  let asked = 0;
  t.mock.method(AbortSignal, "timeout", (ms: number) => {
    asked = ms;
    return over.signal;
  });
  let sent = 0;
  const slot = await serve(t, (_request, response) => {
    response.on("error", () => undefined);
    const drip = () => {
      if (++sent > 20) over.abort(new DOMException("the time is over", "TimeoutError"));
      else response.write(Uint8Array.of(0), () => setImmediate(drip));
    };
    drip();
  });
  await assert.rejects(httpSlots.fetch(slot), { code: "NODE_UNREACHABLE", retryable: true });
  assert.deepEqual([asked, sent], [CLIENT_LIMITS.callTimeoutMs, 21]);
});

test("TRU-19 an upload tells until when the service serves the blob, if the service says so", async (t) => {
  const answers = ["1800000000000000000", undefined, "soon", "-1", "9".repeat(40)];
  let count = 0;
  const slot = await serve(t, (_request, response) => {
    const until = answers[count++];
    response.writeHead(201, until === undefined ? {} : { "x-latchkey-served-until": until }).end();
  });
  const seen: (bigint | undefined)[] = [];
  while (seen.length < answers.length) seen.push(await httpSlots.upload(slot, Uint8Array.of(1)));
  assert.equal(seen[0], 1_800_000_000_000_000_000n);
  assert.deepEqual(seen.slice(1), [undefined, undefined, undefined, undefined]);
});
