import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeContent, textCodec, type ContentCodec } from "@latchkey/client";
import { groupOf, World } from "./support.ts";

/** A vote, as an application of this test sends it. */
const voteCodec: ContentCodec<{ readonly choice: string; readonly isLoud: boolean }> = {
  type: "example.org/vote:1.0",
  isShown: true,
  encode: ({ choice, isLoud }) => ({
    body: new TextEncoder().encode(choice),
    parameters: { loud: isLoud ? "yes" : "no" },
  }),
  decode: ({ body, parameters }) => ({
    choice: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body),
    isLoud: parameters?.["loud"] === "yes",
  }),
  fallback: ({ choice }) => `A vote for ${choice}`,
  shouldPush: ({ isLoud }) => isLoud,
};

test("a content type of an application's own is sent, read back and kept; it wakes people only where it says so", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const pushed: boolean[] = [];
  const { transport } = admin.environment;
  const sendGroupMessages = transport.sendGroupMessages.bind(transport);
  t.mock.method(transport, "sendGroupMessages", (...[messages, signal]: Parameters<typeof sendGroupMessages>) => {
    pushed.push(...messages.map(({ shouldPush }) => shouldPush));
    return sendGroupMessages(messages, signal);
  });

  const vote = { choice: "tea", isLoud: false };
  const sent = await adminGroup.sendContent(voteCodec, vote, { idempotencyKey: "ballot 1" });
  const again = await adminGroup.sendContent(voteCodec, vote, { idempotencyKey: "ballot 1" });
  await adminGroup.sendContent(voteCodec, { choice: "milk", isLoud: true });
  await memberGroup.sync();
  await world.restart(member);

  assert.equal(again.id, sent.id);
  assert.deepEqual(pushed, [false, true]);
  const read = groupOf(member, adminGroup.id).messages();
  assert.deepEqual(
    read.map(({ contentType, text, content }) => [contentType, text, decodeContent(voteCodec, content)?.value.choice]),
    [
      ["example.org/vote:1.0", "A vote for tea", "tea"],
      ["example.org/vote:1.0", "A vote for milk", "milk"],
    ],
  );
  assert.equal(decodeContent(textCodec, read[0]?.content ?? new Uint8Array(0)), undefined);
});
