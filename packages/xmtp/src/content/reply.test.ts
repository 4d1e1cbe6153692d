import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessageContent, decodeWith, encodeContent, encodeWith } from "./message-content.ts";
import { replyCodec } from "./reply.ts";
import { textCodec } from "./text.ts";

const GROUP = new Uint8Array(16).fill(9);

test("a reply carries content of its own type and the id of the message that it answers", () => {
  const reply = { reference: "ab".repeat(32), contentType: textCodec.type, content: encodeContent(textCodec, "yes") };
  for (const value of [reply, { ...reply, referenceInboxId: "cd".repeat(32) }]) {
    const received = decodeMessageContent(GROUP, encodeWith(replyCodec, value, GROUP).plaintext);
    const read = decodeWith(replyCodec, received.content);
    assert.ok(read !== undefined);
    assert.deepEqual(read, { value });
    assert.deepEqual([received.text, received.fallback], [undefined, "Replied to an earlier message"]);
    assert.deepEqual(decodeWith(textCodec, read.value.content), { value: "yes" });
  }
});

test("a reply that answers nothing is refused", () => {
  for (const parameters of [undefined, {}, { reference: "ab" }, { contentType: textCodec.type }]) {
    const coded = parameters === undefined ? { body: GROUP } : { body: GROUP, parameters };
    assert.throws(() => replyCodec.decode(coded), { code: "DECODE" });
  }
});
