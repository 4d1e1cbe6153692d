import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import type { ContentCodec } from "./codec.ts";
import { joinReceiptCodec } from "./join-receipt.ts";
import { leaveRequestCodec } from "./leave-request.ts";
import { decodeMessageContent, decodeWith, encodeWith } from "./message-content.ts";
import { textCodec } from "./text.ts";

const GROUP = new Uint8Array(16).fill(9);

/** A count, as an application of this test sends it. */
const countCodec: ContentCodec<number> = {
  type: "example.org/count:1.2",
  isShown: true,
  encode: (count) => ({ body: Uint8Array.of(count), parameters: { unit: "pieces" } }),
  decode: ({ body, parameters }) => (parameters?.["unit"] === "pieces" ? (body[0] ?? 0) : -1),
  fallback: (count) => `${count} pieces`,
  shouldPush: () => false,
};

describe("content codecs", () => {
  test("a value of an application's own type is read back, with its fallback for other programs", () => {
    const { plaintext, contentType } = encodeWith(countCodec, 7, GROUP, "key");
    const received = decodeMessageContent(GROUP, plaintext);
    assert.equal(contentType, "example.org/count:1.2");
    assert.deepEqual([received.text, received.fallback], [undefined, "7 pieces"]);
    assert.deepEqual(decodeWith(countCodec, received.content), { value: 7 });
  });

  test("a codec reads every minor version of its type and nothing else", () => {
    const { content } = encodeWith(countCodec, 7, GROUP);
    assert.deepEqual(decodeWith({ ...countCodec, type: "example.org/count:1.9" }, content), { value: 7 });
    for (const type of ["example.org/count:2.2", "example.org/sum:1.2", "example.com/count:1.2"]) {
      assert.equal(decodeWith({ ...countCodec, type }, content), undefined);
    }
    assert.throws(() => decodeWith({ ...countCodec, type: "count" }, content), { code: "DECODE" });
  });

  test("text is written as text, and what is no UTF-8 is refused", () => {
    const { content } = encodeWith(textCodec, "hé\uFEFF\0", GROUP);
    assert.deepEqual(decodeWith(textCodec, content), { value: "hé\uFEFF\0" });
    assert.throws(() => textCodec.decode({ body: utf8("é").subarray(1) }), { code: "DECODE" });
  });

  test("receipts and leave requests have no content and no fallback; a receipt is not shown and wakes nobody", () => {
    for (const codec of [joinReceiptCodec, leaveRequestCodec]) {
      const received = decodeMessageContent(GROUP, encodeWith(codec, undefined, GROUP).plaintext);
      assert.equal(received.contentType, codec.type);
      assert.deepEqual([received.body.length, received.fallback], [0, undefined]);
      assert.deepEqual(decodeWith(codec, received.content), { value: undefined });
    }
    assert.deepEqual([joinReceiptCodec.isShown, joinReceiptCodec.shouldPush(undefined)], [false, false]);
    assert.equal(leaveRequestCodec.isShown, true);
  });
});
