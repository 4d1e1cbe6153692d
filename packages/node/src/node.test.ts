import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectTcp } from "node:net";
import { describe, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { toHex, utf8 } from "@latchkey/mls";
import { createLogger } from "./logging.ts";
import { createNode } from "./node.ts";
import {
  closed,
  connect,
  groupMessage,
  PROTOCOLS,
  slotBlob,
  startNode,
  take,
  temporaryDirectory,
  textOf,
} from "./testing/support.ts";

const GROUP = utf8("sixteen bytes id");
const SLOT = "00112233445566778899aabbccddeeff";

describe("a node's life", () => {
  test("NODE stopping ends streams with UNAVAILABLE, is idempotent, and refuses new connections", async (t) => {
    const node = await startNode(t);
    const streams = await Promise.all(
      PROTOCOLS.map(async (protocol) => {
        const { mls } = connect(t, node.url, protocol);
        await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "hello")] });
        const stream = mls.subscribeGroupMessages({ filters: [{ groupId: GROUP }] })[Symbol.asyncIterator]();
        assert.deepEqual((await take(stream, 1)).map(textOf), ["hello"]);
        return stream;
      }),
    );
    const ends = streams.map((stream) => assert.rejects(stream.next(), { code: Code.Unavailable }));
    const closing = node.close();
    assert.equal(node.close(), closing);
    await Promise.all([...ends, closing]);
    await assert.rejects(fetch(`${node.url}/healthz`));
  });

  test("NODE stopping lets a running request finish and keeps what it stored", async (t) => {
    const dataDir = temporaryDirectory(t);
    const node = await startNode(t, { dataDir });
    const blob = Buffer.from(slotBlob("written while stopping"));
    const upload = request(`${node.url}/v1/slots/${SLOT}`, { method: "PUT", headers: { expect: "100-continue" } });
    upload.flushHeaders();
    await once(upload, "continue"); // The node has the request.
    const closing = node.close();
    upload.end(blob);
    const [response] = (await once(upload, "response")) as [{ statusCode: number; resume(): void }];
    assert.equal(response.statusCode, 201);
    response.resume();
    await closing;

    const again = await startNode(t, { dataDir });
    assert.equal((await fetch(`${again.url}/v1/slots/${SLOT}`, { method: "HEAD" })).status, 200);
  });

  test("NODE stopping cuts off, after its time, what does not finish; silent connections at once", async (t) => {
    const node = await startNode(t, { limits: { stopMs: 100 } });
    const upload = request(`${node.url}/v1/slots/${SLOT}`, { method: "PUT", headers: { expect: "100-continue" } });
    upload.flushHeaders();
    await once(upload, "continue");
    const silent = connectTcp(node.port, "127.0.0.1");
    await once(silent, "connect");
    silent.resume();
    await Promise.all([closed(upload), closed(silent), node.close()]);
  });

  test("NODE a taken port and a directory in use are reported, and nothing stays open", async (t) => {
    const node = await startNode(t);
    const dataDir = temporaryDirectory(t);
    await assert.rejects(createNode({ dataDir, port: node.port }), { code: "EADDRINUSE" });
    const second = await startNode(t, { dataDir });
    await assert.rejects(createNode({ dataDir }), { code: "STORE_LOCKED" });
    await second.close();
    await (await createNode({ dataDir })).close();
  });

  test("NODE expired blobs that nobody asks for are swept", async (t) => {
    let nowNs = 1_000n;
    const clock = { wallNs: () => nowNs, monotonicNs: () => nowNs };
    const { url } = await startNode(t, { clock, limits: { sweepMs: 5 } });
    await fetch(`${url}/v1/slots/${SLOT}`, {
      method: "PUT",
      body: Buffer.from(slotBlob("x", { expiresAtNs: 2_000n })),
    });
    nowNs = 3_000n;
    for (;;) {
      const text = await (await fetch(`${url}/metrics`)).text(); // Polled: the sweep has no other visible end.
      if (text.includes("latchkey_node_slot_blobs_expired_total 1")) break;
    }
  });
});

describe("what an operator sees", () => {
  test("SEC-10 logs name methods, codes and short ids, and never a full id, a blob or a path", async (t) => {
    const lines: string[] = [];
    const logger = createLogger("debug", { write: (line) => void lines.push(line) });
    const node = await startNode(t, { logger });
    const { mls } = connect(t, node.url);
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "plain text")] });
    await assert.rejects(mls.queryGroupMessages({}));
    await fetch(`${node.url}/v1/slots/${SLOT}`, { method: "PUT", body: Buffer.from(slotBlob("secret blob")) });
    await fetch(`${node.url}/v1/slots/${SLOT}`, { method: "PUT", body: "no blob" });
    await fetch(`${node.url}/other/${SLOT}`);
    await node.close();

    const log = lines.join("");
    const entries = lines.map((line) => JSON.parse(line) as { method?: string; code?: string; msg: string });
    const requests = entries.filter(({ msg }) => msg === "request").map(({ method, code }) => `${method} ${code}`);
    assert.deepEqual(requests.sort(), [
      "QueryGroupMessages invalid_argument",
      "SendGroupMessages ok",
      "other 404",
      "slots.put 201",
      "slots.put 400",
    ]);
    for (const secret of [
      SLOT,
      SLOT.slice(0, 12),
      toHex(GROUP),
      "sixteen bytes",
      "plain text",
      "secret blob",
      "127.0.0.1:",
    ]) {
      assert.ok(!log.includes(secret), `the log holds ${secret}`);
    }
    assert.ok(log.includes('"slot":"00112233…"'));
  });

  test("NODE /metrics counts requests, durations, envelopes, bytes, duplicates, uploads and streams", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await mls.sendGroupMessages({
      messages: [groupMessage(GROUP, "a"), groupMessage(GROUP, "b"), groupMessage(GROUP, "a")],
    });
    await fetch(`${url}/v1/slots/${SLOT}`, { method: "PUT", body: Buffer.from(slotBlob("x")) });
    await fetch(`${url}/v1/slots/${SLOT}`, { method: "HEAD" });
    await fetch(`${url}/v1/slots/aabbccdd`, { method: "HEAD" });
    const response = await fetch(`${url}/metrics`);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
    const text = await response.text();
    for (const line of [
      'requests_total{method="SendGroupMessages",code="ok"} 1',
      'requests_total{method="slots.put",code="201"} 1',
      'request_duration_seconds_count{method="SendGroupMessages"} 1',
      'envelopes_stored_total{log="group_messages"} 2',
      'envelope_bytes_stored_total{log="group_messages"}',
      'duplicates_total{log="group_messages"} 1',
      'slot_uploads_total{outcome="stored"} 1',
      'slot_fetches_total{outcome="found"} 1',
      'slot_fetches_total{outcome="missing"} 1',
    ]) {
      assert.ok(text.includes(`latchkey_node_${line}`), `${line} in\n${text}`);
    }
  });

  test("DOR-07 /.well-known/latchkey states what the operator said, and no page otherwise", async (t) => {
    const silent = await startNode(t);
    const statement = async (url: string): Promise<unknown> => (await fetch(`${url}/.well-known/latchkey`)).json();
    assert.deepEqual(await statement(silent.url), { page: false, versions: [1] });
    const node = await startNode(t, { invitePage: true, publicUrl: "https://node.example" });
    assert.deepEqual(await statement(node.url), { page: true, node: "https://node.example", versions: [1] });
  });

  test("NODE /healthz answers GET and HEAD", async (t) => {
    const { url } = await startNode(t);
    const response = await fetch(`${url}/healthz`);
    assert.deepEqual([response.status, await response.json()], [200, { status: "ok" }]);
    assert.equal((await fetch(`${url}/healthz`, { method: "HEAD" })).status, 200);
  });
});
