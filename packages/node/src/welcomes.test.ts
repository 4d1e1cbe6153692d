import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import {
  WelcomeMessage_V1Schema,
  WelcomeMessage_WelcomePointerSchema,
  WelcomePointerWrapperAlgorithm,
  WelcomeWrapperAlgorithm,
} from "@latchkey/xmtp/proto";
import { connect, PROTOCOLS, startNode, take } from "./testing/support.ts";

const KEY = new Uint8Array(32).fill(1);
const DESTINATION = new Uint8Array(32).fill(2);

function welcome(text: string, installationKey = KEY) {
  const value = {
    installationKey,
    data: utf8(text),
    hpkePublicKey: utf8("hpke key"),
    wrapperAlgorithm: WelcomeWrapperAlgorithm.CURVE25519,
    welcomeMetadata: utf8("metadata"),
  };
  return { version: { case: "v1" as const, value } };
}

function pointer(text: string) {
  const value = {
    installationKey: KEY,
    welcomePointer: utf8(text),
    hpkePublicKey: utf8("hpke key"),
    wrapperAlgorithm: WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6,
  };
  return { version: { case: "welcomePointer" as const, value } };
}

describe("MlsApi: Welcomes", () => {
  for (const protocol of PROTOCOLS) {
    test(`NODE ${protocol}: both forms come back with every field, by query and by stream`, async (t) => {
      const { url } = await startNode(t);
      const { mls } = connect(t, url, protocol);
      const abort = new AbortController();
      const filters = [{ installationKey: KEY }];
      const stream = mls.subscribeWelcomeMessages({ filters }, { signal: abort.signal })[Symbol.asyncIterator]();
      const streamed = take(stream, 2);
      await mls.sendWelcomeMessages({
        messages: [welcome("direct"), welcome("behind", DESTINATION), pointer("there")],
      });
      const { messages, pagingInfo } = await mls.queryWelcomeMessages({
        installationKey: KEY,
        pagingInfo: { limit: 10 },
      });
      assert.deepEqual(await streamed, messages);
      abort.abort();

      const [direct, indirect] = messages.map(({ version }) => version);
      assert.ok(direct?.case === "v1" && indirect?.case === "welcomePointer");
      const times = [direct.value.createdNs, indirect.value.createdNs] as const;
      assert.ok(times[0] < times[1]);
      const expected = { ...welcome("direct").version.value, id: 1n, createdNs: times[0] };
      assert.ok(equals(WelcomeMessage_V1Schema, direct.value, create(WelcomeMessage_V1Schema, expected)));
      const behind = { ...pointer("there").version.value, id: 3n, createdNs: times[1] };
      const schema = WelcomeMessage_WelcomePointerSchema;
      assert.ok(equals(schema, indirect.value, create(schema, behind)));
      assert.equal(pagingInfo?.idCursor, 0n);
      const rest = await mls.queryWelcomeMessages({ installationKey: KEY, pagingInfo: { idCursor: 1n } });
      assert.deepEqual(rest.messages, messages.slice(1));
      assert.equal((await mls.queryWelcomeMessages({ installationKey: DESTINATION })).messages.length, 1);
    });
  }

  test("NODE a repeated Welcome is stored once; bad ones refuse the batch", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    await mls.sendWelcomeMessages({ messages: [welcome("a"), welcome("a")] });
    await mls.sendWelcomeMessages({ messages: [welcome("a")] });
    for (const bad of [
      {},
      welcome(""),
      welcome("b", new Uint8Array()),
      welcome("b", new Uint8Array(65)),
      pointer(""),
    ]) {
      await assert.rejects(mls.sendWelcomeMessages({ messages: [welcome("good"), bad] }), {
        code: Code.InvalidArgument,
      });
    }
    assert.equal((await mls.queryWelcomeMessages({ installationKey: KEY })).messages.length, 1);
  });
});

describe("MlsApi: commit log", () => {
  const GROUP = utf8("sixteen bytes id");

  test("NODE entries are kept per group in order, once, with ids of their own", async (t) => {
    const { url } = await startNode(t);
    const { mls } = connect(t, url);
    const entry = (text: string, groupId = GROUP) => ({
      groupId,
      serializedCommitLogEntry: utf8(text),
      signature: { bytes: utf8(`signature of ${text}`), publicKey: KEY },
    });
    await mls.batchPublishCommitLog({ requests: [entry("a"), entry("x", KEY), entry("b")] });
    await mls.batchPublishCommitLog({ requests: [entry("b")] });
    const { responses } = await mls.batchQueryCommitLog({
      requests: [{ groupId: GROUP, pagingInfo: { idCursor: 1n } }, { groupId: utf8("nobody") }, { groupId: KEY }],
    });
    const ids = responses.map((response) => response.commitLogEntries.map(({ sequenceId }) => sequenceId));
    assert.deepEqual(ids, [[3n], [], [2n]]);
    assert.deepEqual(responses[0]?.groupId, GROUP);
    assert.deepEqual(responses[0].commitLogEntries[0]?.signature?.bytes, utf8("signature of b"));
    assert.ok(responses.every(({ pagingInfo }) => pagingInfo?.idCursor === 0n));
    await assert.rejects(mls.batchPublishCommitLog({ requests: [entry("")] }), { code: Code.InvalidArgument });
  });
});
