import assert from "node:assert/strict";
import { request } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import { closed, connect, groupMessage, slotBlob, startNode, textOf } from "./testing/support.ts";

const GROUP = utf8("sixteen bytes id");
const SEND = "/xmtp.mls.api.v1.MlsApi/SendGroupMessages";

/** Everything a raw connection gets until the node closes it. */
async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk) => (text += chunk.toString()));
  await closed(socket);
  return text;
}

async function assertAlive(url: string): Promise<void> {
  assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { status: "ok" });
}

describe("the port", () => {
  test("NODE the protocol is recognised when the first bytes come one by one", async (t) => {
    const { url, port } = await startNode(t);
    const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true });
    const answer = readAll(socket);
    for (const byte of "PUT /v1/slots/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n") {
      await new Promise((resolve) => socket.write(byte, resolve));
    }
    assert.match(await answer, /^HTTP\/1\.1 400 /);
    await assertAlive(url);
  });

  test("NODE browsers may call: preflight and answers carry CORS headers", async (t) => {
    const { url } = await startNode(t);
    const headers = { origin: "https://app.example", "access-control-request-method": "POST" };
    const preflight = await fetch(`${url}${SEND}`, { method: "OPTIONS", headers });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    for (const name of [
      "x-grpc-web",
      "content-type",
      "connect-protocol-version",
      "x-libxmtp-version",
      "x-app-version",
    ]) {
      assert.ok(preflight.headers.get("access-control-allow-headers")?.toLowerCase().includes(name), name);
    }
    const answer = await fetch(`${url}${SEND}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    assert.match(answer.headers.get("access-control-expose-headers") ?? "", /grpc-status.*retry-after/i);
  });

  test("NODE unknown paths and methods are answered and change nothing", async (t) => {
    const { url } = await startNode(t);
    for (const path of [
      "/",
      "//",
      "/%zz",
      "/xmtp.mls.api.v1.MlsApi/Nope",
      "/xmtp.mls.api.v1.MlsApi/",
      `/${"x".repeat(9_000)}`,
    ]) {
      assert.equal((await fetch(`${url}${path}`, { method: "POST", body: "x" })).status, 404, path.slice(0, 50));
    }
    assert.equal((await fetch(`${url}${SEND}`, { method: "DELETE" })).status, 405);
    assert.equal((await fetch(`${url}${SEND}`, { method: "POST", body: "x" })).status, 415);
    assert.equal((await fetch(`${url}/metrics`, { method: "POST" })).status, 405);
    await assertAlive(url);
  });

  test("SEC metrics have one spelling: no other reaches what a proxy in front keeps to itself", async (t) => {
    const { port } = await startNode(t);
    const get = (target: string): Promise<string> => {
      const socket = connectTcp(port, "127.0.0.1");
      socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      return readAll(socket);
    };
    for (const target of ["/metrics", "/metrics?x"]) assert.match(await get(target), /^HTTP\/1\.1 200 /, target);
    for (const target of [
      "/./metrics",
      "/../metrics",
      "/v1/slots/../../metrics",
      "/v1/slots/%2e%2e/%2e%2e/metrics",
      "/%6detrics",
      "//metrics",
      "/metrics/",
      "/METRICS",
      "/metrics#x",
      "\\metrics",
      "http://x/metrics",
      "/v1/slots/..\\..\\metrics",
    ]) {
      assert.match(await get(target), /^HTTP\/1\.1 40[04] /, target);
    }
  });

  test("TRU-19 a slot is one slot, and an RPC one RPC, however their paths are spelled", async (t) => {
    const { port } = await startNode(t);
    const ask = async (start: string, body = ""): Promise<string> => {
      const socket = connectTcp(port, "127.0.0.1");
      const type = "content-type: application/json\r\nconnection: close";
      const head = `${start} HTTP/1.1\r\nhost: x\r\n${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
      socket.write(`${head}${body}`, "latin1");
      return readAll(socket);
    };
    const blob = Buffer.from(slotBlob("blob")).toString("latin1");
    assert.match(await ask("PUT /v1//slots/%30011223344/", blob), /^HTTP\/1\.1 201 /);
    assert.match(await ask("PUT /v1/./slots/x/../0011223344", blob), /^HTTP\/1\.1 200 /);
    assert.match(await ask(`GET http://x/v1/slots/0011223344?epoch=7&digest=${"09".repeat(32)}`), /candidates: 1/);
    assert.match(await ask(`POST /${SEND}/`, "{}"), /^HTTP\/1\.1 200 /);
  });

  test("NODE metrics have a listener of their own when they are given a port", async (t) => {
    const { url, metricsUrl } = await startNode(t, { metricsPort: 0 });
    assert.equal((await fetch(`${url}/metrics`)).status, 404);
    assert.match(await (await fetch(metricsUrl)).text(), /latchkey_node_held\{quota="connections"\} 1/);
    assert.equal((await fetch(metricsUrl.replace("/metrics", "/healthz"))).status, 404);
  });

  test("SEC hostile bytes on the wire are refused and the node lives on", async (t) => {
    const { url, port } = await startNode(t, { limits: { greetingMs: 100 } });
    const raw = (text: string): Promise<string> => {
      const socket = connectTcp(port, "127.0.0.1");
      socket.write(text);
      return readAll(socket);
    };
    assert.match(await raw("\0\0garbage\r\n\r\n"), /^HTTP\/1\.1 400/);
    assert.match(await raw(`POST ${SEND} HTTP/1.0\r\ncontent-type: application/proto\r\n\r\n`), /^HTTP\/1\.1 400/);
    assert.match(await raw(`POST ${SEND} HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n`), /^HTTP\/1\.1 400/);
    assert.match(await raw(`GET /healthz HTTP/1.1\r\nx: ${"y".repeat(100_000)}`), /^HTTP\/1\.1 431/);
    await raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame, whatever it says");
    await raw("PR"); // Says nothing more: closed when its time is over.
    await raw("");
    await assertAlive(url);
  });

  test("SEC garbage where a protobuf should be is refused in every protocol and counted as malformed", async (t) => {
    const { url } = await startNode(t);
    const garbage = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3]);
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, garbage.length]), garbage]);
    const post = (contentType: string, body: Buffer<ArrayBuffer>) =>
      fetch(`${url}${SEND}`, { method: "POST", headers: { "content-type": contentType }, body });
    assert.match(await (await post("application/proto", garbage)).text(), /"code":"invalid_argument"/);
    assert.equal((await post("application/json", Buffer.from("{"))).status, 400);
    assert.match(await (await post("application/grpc-web+proto", framed)).text(), /grpc-status: 3/);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /requests_total\{method="SendGroupMessages",code="malformed"\} 3/);
  });

  test("SEC a small request that unpacks to more than the limit is refused", async (t) => {
    const { url } = await startNode(t);
    const bomb = gzipSync(Buffer.alloc(60 * 1024 * 1024));
    const headers = { "content-type": "application/proto", "content-encoding": "gzip" };
    const response = await fetch(`${url}${SEND}`, { method: "POST", headers, body: bomb });
    assert.equal(response.status, 400);
    assert.equal(response.headers.get("x-latchkey-error"), "REQUEST_TOO_LARGE");
  });

  test("SEC a request that never ends is cut off", async (t) => {
    const { url } = await startNode(t, { limits: { receiveMs: 100 } });
    for (const [path, headers] of [
      [SEND, { "content-type": "application/proto" }],
      ["/v1/slots/00112233", {}],
    ] as const) {
      const drip = request(`${url}${path}`, { method: path === SEND ? "POST" : "PUT", headers });
      drip.write("x");
      await closed(drip);
    }
    await assertAlive(url);
  });

  test("LIMIT bodies beyond what may be in memory at once are told to try again", async (t) => {
    const { url } = await startNode(t, { limits: { bodyBytesInFlight: 10_000 } });
    const { mls } = connect(t, url);
    const busy = (error: unknown): boolean => {
      assert.ok(error instanceof ConnectError && error.code === Code.Unavailable);
      return error.metadata.get("x-latchkey-error") === "NODE_BUSY" && error.metadata.get("retry-after") === "1";
    };
    await assert.rejects(mls.sendGroupMessages({ messages: [groupMessage(GROUP, "x".repeat(20_000))] }), busy);
    const put = await fetch(`${url}/v1/slots/00112233`, {
      method: "PUT",
      body: Buffer.from(slotBlob("x".repeat(20_000))),
    });
    assert.equal(put.status, 503);
    for (let i = 0; i < 5; i++) await mls.sendGroupMessages({ messages: [groupMessage(GROUP, `${i}`.repeat(5_000))] });
    await assert.rejects(
      mls.queryGroupMessages({ groupId: GROUP }),
      { code: Code.Unavailable },
      "answers count as well",
    );
    assert.equal((await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { limit: 1 } })).messages.length, 1);
  });

  test("LIMIT RPCs beyond the rate of an address are RESOURCE_EXHAUSTED with retry-after", async (t) => {
    const { url } = await startNode(t, {
      trustForwardedFor: true,
      limits: { rpcBurst: 2, rpcPerSecond: 0.001 },
    });
    const { mls } = connect(t, url);
    const call = (forwarded: string) =>
      mls.queryGroupMessages({ groupId: GROUP }, { headers: { "x-forwarded-for": forwarded } });
    await call("192.0.2.1");
    await call("198.51.100.9, 192.0.2.1:4711");
    await assert.rejects(call("192.0.2.1"), (error) => {
      assert.ok(error instanceof ConnectError && error.code === Code.ResourceExhausted);
      return Number(error.metadata.get("retry-after")) > 100;
    });
    await call("192.0.2.2");
  });

  test("STORE_FULL reaches the client as UNAVAILABLE or 507, and reading goes on", async (t) => {
    const { url } = await startNode(t, { limits: { databaseBytes: 512 * 1024 } });
    const { mls } = connect(t, url);
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "small")] });
    const large = mls.sendGroupMessages({ messages: [groupMessage(GROUP, "x".repeat(600_000))] });
    await assert.rejects(large, (error) => {
      assert.ok(error instanceof ConnectError);
      return error.code === Code.Unavailable && error.metadata.get("x-latchkey-error") === "STORE_FULL";
    });
    const put = await fetch(`${url}/v1/slots/00112233`, {
      method: "PUT",
      body: Buffer.from(slotBlob("x".repeat(600_000))),
    });
    assert.equal(put.status, 507);
    assert.deepEqual((await mls.queryGroupMessages({ groupId: GROUP })).messages.map(textOf), ["small"]);
    assert.match(await (await fetch(`${url}/metrics`)).text(), /storage_errors_total\{code="STORE_FULL"\} 2/);
  });
});
