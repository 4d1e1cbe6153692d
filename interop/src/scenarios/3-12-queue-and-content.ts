import assert from "node:assert/strict";
import { encodeContent, replyCodec, textCodec, type ContentCodec } from "@latchkey/client";
import { utf8 } from "@latchkey/mls";
import { ourGroup, ourTexts } from "../mixed.ts";
import { textsOf } from "../native.ts";
import type { NativeReaction } from "../native-library.ts";
import type { Scenario } from "../stage.ts";

function textField(number: number, text: string): number[] {
  const bytes = utf8(text);
  return [(number << 3) | 2, bytes.length, ...bytes];
}

/** XMTP's `ReactionV2`, its short fields written by hand. */
const reactionCodec: ContentCodec<NativeReaction> = {
  type: "xmtp.org/reaction:2.0",
  isShown: true,
  encode: ({ reference, referenceInboxId, action, content, schema }) => ({
    body: Uint8Array.from([
      ...textField(1, reference),
      ...textField(2, referenceInboxId),
      ...[3 << 3, action],
      ...textField(4, content),
      ...[5 << 3, schema],
    ]),
  }),
  decode: () => {
    throw new Error("this scenario only sends it");
  },
  fallback: ({ content }) => `Reacted with "${content}" to an earlier message`,
  shouldPush: () => false,
};

const readReceiptCodec: ContentCodec<undefined> = {
  type: "xmtp.org/readReceipt:1.0",
  isShown: false,
  encode: () => ({ body: new Uint8Array(0) }),
  decode: () => undefined,
  fallback: () => undefined,
  shouldPush: () => false,
};

export const scenario: Scenario = {
  title: "3.12 what ours repeat is shown once, and content of XMTP's types is read by natives",
  async run({ native, ours, newWallet, wire, step }) {
    const wallet = newWallet();
    const ana = await native("ana");
    const { id } = await (await ours("mine", wallet)).conversations.createGroup([ana.inboxId], { name: "lake" });
    const restarted = async () => ourGroup(await ours("mine", wallet), id);
    const onAna = await ana.group(id);

    await step("a text under a key whose answer was lost is sent again after a restart, and shown once", async () => {
      const group = await restarted();
      const before = wire.requests("SendGroupMessages").length;
      // Of the two calls, to read and to send, the answer of the second one.
      wire.loseEvery(2);
      await assert.rejects(group.send("hello", { idempotencyKey: "one" }), {
        code: "NODE_UNREACHABLE",
        retryable: true,
      });
      wire.loseEvery(0);
      assert.equal(wire.requests("SendGroupMessages").length, before + 1);

      const sent = await (await restarted()).send("hello", { idempotencyKey: "one" });
      const again = await restarted();
      assert.equal((await again.send("hello", { idempotencyKey: "one" })).id, sent.id);
      await again.send("hello");
      assert.deepEqual(await textsOf(onAna), ["hello", "hello"]);
      assert.deepEqual(await ourTexts(again), ["hello", "hello"]);
      assert.equal((await onAna.listMessages()).filter((message) => message.id === sent.id).length, 1);
    });

    const group = await restarted();
    const [question] = group.messages();
    assert.ok(question !== undefined);

    await step("a reaction, a reply and a read receipt of ours are what they are to the native client", async () => {
      const reaction = {
        reference: question.id,
        referenceInboxId: question.senderInboxId,
        action: 1,
        content: "👍",
        schema: 1,
      };
      await group.sendContent(reactionCodec, reaction);
      const content = encodeContent(textCodec, "an answer");
      await group.sendContent(replyCodec, { reference: question.id, contentType: textCodec.type, content });
      await group.sendContent(readReceiptCodec, undefined);
      await onAna.sync();
      const shown = await onAna.listEnrichedMessages();
      const about = shown.find((message) => message.id === question.id);
      assert.deepEqual(
        about?.reactions.map((message) => message.content.reaction),
        [reaction],
      );
      assert.deepEqual(
        shown.flatMap((message) => message.content.reply?.referenceId ?? []),
        [question.id],
      );
      assert.equal(
        (await onAna.listMessages()).filter((message) => message.content.type?.typeId === "readReceipt").length,
        1,
      );
    });
  },
};
