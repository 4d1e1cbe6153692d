import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attachmentCodec,
  decodeContent,
  decryptAttachment,
  encryptAttachment,
  markdownCodec,
  reactionCodec,
  readReceiptCodec,
  remoteAttachmentCodec,
  textCodec,
  transactionReferenceCodec,
  type ContentCodec,
} from "@latchkey/client";
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

test("each content type of XMTP goes through a group: value, fallback, and whether it wakes people", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const pushed: boolean[] = [];
  const { transport } = admin.environment;
  const sendGroupMessages = transport.sendGroupMessages.bind(transport);
  t.mock.method(transport, "sendGroupMessages", (...[messages, signal]: Parameters<typeof sendGroupMessages>) => {
    pushed.push(...messages.map(({ shouldPush }) => shouldPush));
    return sendGroupMessages(messages, signal);
  });
  const file = { filename: "notes.txt", mimeType: "text/plain", content: new TextEncoder().encode("notes") };
  const { payload, ...sealed } = await encryptAttachment(file);
  const url = "https://files.example/notes";
  const first = await adminGroup.sendContent(markdownCodec, "**hello**");
  const reference = first.id;
  await adminGroup.sendContent(reactionCodec, { reference, action: "added", content: "👍", schema: "unicode" });
  await adminGroup.sendContent(readReceiptCodec, undefined);
  await adminGroup.sendContent(attachmentCodec, file);
  await adminGroup.sendContent(remoteAttachmentCodec, { url, ...sealed });
  await adminGroup.sendContent(transactionReferenceCodec, { networkId: "1", reference: "0xabc" });
  await memberGroup.sync();

  const [markdown, reaction, receipt, inline, remote, transaction] = memberGroup.messages();
  assert.deepEqual(pushed, [true, false, false, true, true, true]);
  const valueOf = <T>(codec: ContentCodec<T>, message: typeof markdown): T | undefined =>
    message && decodeContent(codec, message.content)?.value;
  assert.equal(valueOf(markdownCodec, markdown), "**hello**");
  assert.deepEqual(valueOf(reactionCodec, reaction), { reference, action: "added", content: "👍", schema: "unicode" });
  assert.equal(reaction?.text, 'Reacted with "👍" to an earlier message');
  assert.equal(receipt?.contentType, "xmtp.org/readReceipt:1.0");
  assert.deepEqual(valueOf(attachmentCodec, inline), file);
  assert.deepEqual(valueOf(transactionReferenceCodec, transaction), { networkId: "1", reference: "0xabc" });
  const found = valueOf(remoteAttachmentCodec, remote);
  assert.ok(found !== undefined);
  assert.equal(found.url, url);
  assert.deepEqual(await decryptAttachment(payload, found), file);
});
