import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:http";
import { describe, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import {
  connect,
  fieldsOf,
  groupMessage,
  PROTOCOLS,
  startNode,
  take,
  textOf,
  type Clients,
} from "./testing/support.ts";

const GROUP = utf8("sixteen bytes id");
const OTHER = utf8("another group id");

function send(mls: Clients["mls"], ...texts: string[]) {
  return mls.sendGroupMessages({ messages: texts.map((text) => groupMessage(GROUP, text)) });
}

describe("MlsApi: streams", () => {
  for (const protocol of PROTOCOLS) {
    test(`NODE ${protocol}: history after the cursor comes first, then live messages`, async (t) => {
      const { url } = await startNode(t);
      const { mls } = connect(t, url, protocol);
      await send(mls, "one", "two", "three");
      const abort = new AbortController();
      const filters = [{ groupId: GROUP, idCursor: 1n }, { groupId: OTHER }];
      const stream = mls.subscribeGroupMessages({ filters }, { signal: abort.signal })[Symbol.asyncIterator]();
      assert.deepEqual((await take(stream, 2)).map(textOf), ["two", "three"]);
      await send(mls, "four");
      await mls.sendGroupMessages({ messages: [groupMessage(OTHER, "elsewhere")] });
      const live = await take(stream, 2);
      assert.deepEqual(live.map(textOf).sort(), ["elsewhere", "four"]);
      abort.abort();
      await assert.rejects(stream.next(), { code: Code.Canceled });
    });
  }

  test("NODE no gap and no duplicate while others write, for any cursor and with pages in between", async (t) => {
    const { url } = await startNode(t, { limits: { pageEntries: 7 } });
    const writer = connect(t, url).mls;
    await send(writer, ...Array.from({ length: 40 }, (_, i) => `history ${i}`));
    const abort = new AbortController();
    const readers = Array.from({ length: 8 }, async (_, reader) => {
      const cursor = BigInt(reader * 5);
      const filters = [{ groupId: GROUP, idCursor: cursor }];
      const stream = connect(t, url).mls.subscribeGroupMessages({ filters }, { signal: abort.signal });
      const ids = (await take(stream[Symbol.asyncIterator](), 140 - reader * 5)).map((message) => fieldsOf(message).id);
      return ids.every((id, i) => id === cursor + BigInt(i) + 1n);
    });
    for (let i = 0; i < 50; i++) await send(writer, `live ${i}`, `live too ${i}`);
    assert.deepEqual(
      await Promise.all(readers),
      Array.from({ length: 8 }, () => true),
    );
    abort.abort();
  });

  test("NODE gRPC: headers come at once on a stream without filters, which stays open", async (t) => {
    const { url } = await startNode(t);
    const session = connectHttp2(url);
    t.after(() => session.destroy());
    const stream = session.request({
      ":method": "POST",
      ":path": "/xmtp.mls.api.v1.MlsApi/SubscribeGroupMessages",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5)); // One empty message: no filters.
    const [headers] = (await once(stream, "response")) as [Record<string, string>];
    assert.deepEqual([headers[":status"], headers["content-type"]], [200, "application/grpc"]);
    const pong = Promise.withResolvers();
    session.ping((error) => (error === null ? pong.resolve(undefined) : pong.reject(error)));
    await pong.promise;
    assert.equal(stream.closed, false);
  });

  test("NODE Connect over HTTP/1.1: headers come at once on a quiet stream", async (t) => {
    const { url } = await startNode(t);
    const call = request(`${url}/xmtp.mls.api.v1.MlsApi/SubscribeWelcomeMessages`, {
      method: "POST",
      headers: { "content-type": "application/connect+proto" },
    });
    call.end(Buffer.alloc(5));
    const [response] = (await once(call, "response")) as [{ statusCode: number }];
    assert.equal(response.statusCode, 200);
    call.destroy();
  });

  test("NODE two filters for one group count as the lower cursor", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await send(mls, "one", "two", "three");
    const abort = new AbortController();
    const filters = [
      { groupId: GROUP, idCursor: 2n },
      { groupId: GROUP, idCursor: 1n },
    ];
    const stream = mls.subscribeGroupMessages({ filters }, { signal: abort.signal })[Symbol.asyncIterator]();
    assert.deepEqual((await take(stream, 2)).map(textOf), ["two", "three"]);
    await send(mls, "four");
    assert.deepEqual((await take(stream, 1)).map(textOf), ["four"]);
    abort.abort();
  });

  test("LIMIT streams per address and filters per stream are bounded; a closed stream makes room", async (t) => {
    const { url } = await startNode(t, { limits: { streamsPerAddress: 1, streamFilters: 2 } });
    const { mls } = connect(t, url);
    await send(mls, "one");
    const subscribe = (count: number, signal?: AbortSignal) =>
      mls
        .subscribeGroupMessages(
          { filters: Array.from({ length: count }, () => ({ groupId: GROUP })) },
          signal === undefined ? {} : { signal },
        )
        [Symbol.asyncIterator]();
    await assert.rejects(subscribe(3).next(), { code: Code.InvalidArgument });
    const abort = new AbortController();
    const first = subscribe(1, abort.signal);
    await take(first, 1);
    await assert.rejects(subscribe(1).next(), { code: Code.ResourceExhausted });
    assert.match(await (await fetch(`${url}/metrics`)).text(), /latchkey_node_streams_open\{log="group_messages"\} 1/);
    abort.abort();
    await first.next().catch(() => undefined);
    for (;;) {
      const text = await (await fetch(`${url}/metrics`)).text(); // The node learns of the abort by a frame of its own.
      if (text.includes('latchkey_node_streams_open{log="group_messages"} 0')) break;
    }
    await take(subscribe(1), 1);
  });
});
