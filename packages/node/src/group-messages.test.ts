import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { equalBytes, utf8 } from "@latchkey/mls";
import { QueryGroupMessagesResponseSchema, SortDirection } from "@latchkey/xmtp/proto";
import {
  connect,
  fieldsOf,
  groupMessage,
  mlsMessage,
  PROTOCOLS,
  startNode,
  temporaryDirectory,
  textOf,
} from "./testing/support.ts";

const GROUP = utf8("sixteen bytes id");
const OTHER = utf8("another group id");

describe("MlsApi: group messages", () => {
  for (const protocol of PROTOCOLS) {
    test(`NODE ${protocol}: sent messages come back in order with ids, times, flags and paging_info`, async (t) => {
      const { url } = await startNode(t);
      const { mls } = connect(t, url, protocol);
      const senderHmac = utf8("hmac");
      const first = groupMessage(GROUP, "one");
      Object.assign(first.version.value, { senderHmac, shouldPush: true });
      await mls.sendGroupMessages({
        messages: [first, groupMessage(GROUP, "two", "proposal"), groupMessage(GROUP, "three", "commit")],
      });
      await mls.sendGroupMessages({ messages: [groupMessage(OTHER, "elsewhere"), groupMessage(GROUP, "four")] });

      const { messages, pagingInfo } = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { limit: 100 } });
      assert.deepEqual(messages.map(textOf), ["one", "two", "three", "four"]);
      const fields = messages.map(fieldsOf);
      assert.deepEqual(
        fields.map(({ id }) => id),
        [1n, 2n, 3n, 5n],
      );
      assert.deepEqual(
        fields.map(({ isCommit }) => isCommit),
        [false, true, true, false],
      );
      assert.ok(
        fields.every(({ createdNs }, i) => createdNs > (fields[i - 1]?.createdNs ?? 1_700_000_000_000_000_000n)),
      );
      assert.ok(fields.every(({ groupId }) => equalBytes(groupId, GROUP)));
      assert.deepEqual(
        [fields[0]?.senderHmac, fields[0]?.shouldPush, fields[1]?.shouldPush],
        [senderHmac, true, false],
      );
      assert.deepEqual([pagingInfo?.idCursor, pagingInfo?.limit], [0n, 100]);
    });
  }

  test("NODE pages of at most 100 ascend and descend by an exclusive cursor", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await mls.sendGroupMessages({ messages: Array.from({ length: 130 }, (_, i) => groupMessage(GROUP, `${i}`)) });

    const first = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { limit: 1_000 } });
    assert.deepEqual([first.messages.length, first.pagingInfo?.idCursor, first.pagingInfo?.limit], [100, 100n, 100]);
    const second = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { idCursor: 100n, limit: 100 } });
    assert.deepEqual(
      second.messages.map(textOf),
      Array.from({ length: 30 }, (_, i) => `${i + 100}`),
    );
    assert.equal(second.pagingInfo?.idCursor, 0n);
    const direction = SortDirection.DESCENDING;
    const newest = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { direction, limit: 2 } });
    assert.deepEqual(newest.messages.map(textOf), ["129", "128"]);
    assert.deepEqual([newest.pagingInfo?.idCursor, newest.pagingInfo?.direction], [129n, direction]);
    const none = await mls.queryGroupMessages({ groupId: OTHER });
    assert.deepEqual([none.messages, none.pagingInfo?.idCursor], [[], 0n]);
    const far = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { idCursor: 2n ** 64n - 1n } });
    assert.deepEqual(far.messages, []);
  });

  test("NODE a message sent again is stored once, in the same batch, later, and after a restart", async (t) => {
    const dataDir = temporaryDirectory(t);
    const before = await startNode(t, { dataDir });
    const sender = connect(t, before.url).mls;
    await sender.sendGroupMessages({ messages: [groupMessage(GROUP, "one"), groupMessage(GROUP, "one")] });
    await sender.sendGroupMessages({ messages: [groupMessage(GROUP, "one"), groupMessage(GROUP, "two")] });
    await before.close();

    const after = await startNode(t, { dataDir });
    const { mls } = connect(t, after.url);
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "two"), groupMessage(GROUP, "three")] });
    const { messages } = await mls.queryGroupMessages({ groupId: GROUP });
    assert.deepEqual(messages.map(textOf), ["one", "two", "three"]);
  });

  test("NODE batches of concurrent senders stay adjacent", async (t) => {
    const { url } = await startNode(t);
    const senders = [connect(t, url).mls, connect(t, url, "connect").mls] as const;
    await Promise.all(
      Array.from({ length: 30 }, (_, batch) =>
        senders[batch % 3 === 0 ? 0 : 1].sendGroupMessages({
          messages: [0, 1, 2].map((part) => groupMessage(GROUP, `${batch}.${part}`)),
        }),
      ),
    );
    const { messages } = await connect(t, url).mls.queryGroupMessages({ groupId: GROUP });
    const parts = messages.map(textOf);
    assert.equal(parts.length, 90);
    for (let i = 0; i < parts.length; i += 3) {
      const batch = parts[i]?.split(".")[0] ?? "";
      assert.deepEqual(parts.slice(i, i + 3), [`${batch}.0`, `${batch}.1`, `${batch}.2`]);
    }
  });

  test("NODE the newest message of each group is answered in order, with content only when asked for", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "old"), groupMessage(GROUP, "new", "commit")] });
    const groupIds = [OTHER, GROUP];
    const bare = await mls.getNewestGroupMessage({ groupIds });
    assert.equal(bare.responses.length, 2);
    assert.equal(bare.responses[0]?.groupMessage, undefined);
    const fields = fieldsOf(bare.responses[1]?.groupMessage);
    assert.deepEqual([fields.id, fields.isCommit, fields.data.length], [2n, true, 0]);
    const full = await mls.getNewestGroupMessage({ groupIds, includeContent: true });
    assert.deepEqual(fieldsOf(full.responses[1]?.groupMessage).data, mlsMessage(GROUP, "new", "commit"));
  });

  test("NODE the newest message of a group is told without content, also where its kind was not stored", async (t) => {
    const dataDir = temporaryDirectory(t);
    const before = await startNode(t, { dataDir });
    const messages = [groupMessage(GROUP, "x", "commit"), groupMessage(OTHER, "y")];
    await connect(t, before.url).mls.sendGroupMessages({ messages });
    await before.close();
    const file = new DatabaseSync(join(dataDir, "node.sqlite"));
    file.exec("UPDATE group_messages SET kind = 0");
    file.close();

    const { mls } = connect(t, (await startNode(t, { dataDir })).url);
    const { responses } = await mls.getNewestGroupMessage({ groupIds: [GROUP, OTHER] });
    const fields = responses.map(({ groupMessage: message }) => fieldsOf(message));
    assert.deepEqual(
      fields.map(({ id, isCommit, groupId, data }) => [id, isCommit, groupId, data.length]),
      [
        [1n, true, GROUP, 0],
        [2n, false, OTHER, 0],
      ],
    );
    await assert.rejects(mls.getNewestGroupMessage({ groupIds: [GROUP, new Uint8Array()] }), {
      code: Code.InvalidArgument,
    });
  });

  test("NODE a bad message refuses the whole batch and stores nothing", async (t) => {
    const { url } = await startNode(t, { limits: { envelopeBytes: 1_000 } });
    const { mls } = connect(t, url);
    const good = groupMessage(GROUP, "good");
    const data = (bytes: Uint8Array) => ({ version: { case: "v1" as const, value: { data: bytes } } });
    const bad = {
      "no version": {},
      "no data": data(new Uint8Array()),
      garbage: data(utf8("garbage that is no MLSMessage")),
      "a header cut short": data(mlsMessage(GROUP, "x").subarray(0, 10)),
      "a welcome": data(Uint8Array.of(0, 1, 0, 3, 0, 0)),
      "an empty group id": groupMessage(new Uint8Array(), "x"),
      "a long group id": groupMessage(new Uint8Array(65), "x"),
      "a huge length": data(Uint8Array.of(0, 1, 0, 2, 0xbf, 0xff, 0xff, 0xff)),
      "too many bytes": groupMessage(GROUP, "x".repeat(1_000)),
      "a long HMAC": {
        version: { case: "v1" as const, value: { ...good.version.value, senderHmac: new Uint8Array(3_000) } },
      },
    };
    for (const [name, message] of Object.entries(bad)) {
      await assert.rejects(mls.sendGroupMessages({ messages: [good, message] }), { code: Code.InvalidArgument }, name);
    }
    await assert.rejects(mls.queryGroupMessages({}), { code: Code.InvalidArgument });
    assert.deepEqual((await mls.queryGroupMessages({ groupId: GROUP })).messages, []);
    await mls.sendGroupMessages({ messages: [] });
  });

  test("NODE a 24 MiB message passes whole, and pages end before they exceed what clients accept", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    const large = "x".repeat(24 * 1024 * 1024);
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "small"), groupMessage(GROUP, large)] });
    await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "last")] });
    const lengths = async (idCursor: bigint) => {
      const page = await mls.queryGroupMessages({ groupId: GROUP, pagingInfo: { idCursor } });
      return [...page.messages.map((message) => textOf(message).length), Number(page.pagingInfo?.idCursor)];
    };
    assert.deepEqual(await lengths(0n), [5, 1]);
    assert.deepEqual(await lengths(1n), [large.length, 2]);
    assert.deepEqual(await lengths(2n), [4, 0]);
    await assert.rejects(
      mls.sendGroupMessages({ messages: [groupMessage(GROUP, `${large}${"y".repeat(2 * 1024 * 1024)}`)] }),
      { code: Code.InvalidArgument },
    );
  });

  test("LIMIT answers in JSON are short pages, and leave out what is too large for them", async (t) => {
    const { url } = await startNode(t, { limits: { jsonAnswerBytes: 1_000 } });
    const { mls } = connect(t, url);
    const ask = async (idCursor: number) => {
      const response = await fetch(`${url}/xmtp.mls.api.v1.MlsApi/QueryGroupMessages`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ groupId: Buffer.from(GROUP).toString("base64"), pagingInfo: { idCursor } }),
      });
      return {
        status: response.status,
        answer: fromJson(QueryGroupMessagesResponseSchema, (await response.json()) as JsonValue, {
          ignoreUnknownFields: true,
        }),
      };
    };
    for (const length of [300, 310, 500, 2_000]) {
      await mls.sendGroupMessages({ messages: [groupMessage(GROUP, "x".repeat(length))] });
    }
    const first = await ask(0);
    assert.deepEqual([first.answer.messages.length, first.answer.pagingInfo?.idCursor], [2, 2n]);
    const second = await ask(2);
    assert.deepEqual([second.answer.messages.length, second.answer.pagingInfo?.idCursor], [1, 3n]);
    assert.equal((await ask(3)).status, 400);
    assert.equal((await mls.queryGroupMessages({ groupId: GROUP })).messages.length, 4);
  });

  test("NODE legacy methods and the bidirectional Subscribe are UNIMPLEMENTED", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await assert.rejects(mls.registerInstallation({}), { code: Code.Unimplemented });
    async function* requests() {
      yield {};
    }
    await assert.rejects(mls.subscribe(requests())[Symbol.asyncIterator]().next(), { code: Code.Unimplemented });
  });
});
