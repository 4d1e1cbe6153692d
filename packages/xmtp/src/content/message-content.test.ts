import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { toHex, utf8 } from "@latchkey/mls";
import { decodeMessageContent, encodeMessageContent, encodeTextMessage, messageId } from "./message-content.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { EncodedContentSchema, PlaintextEnvelopeSchema } from "../proto.ts";
import { hex } from "../testing/inboxes.ts";

const GROUP = new Uint8Array(16).fill(9);

describe("message content", () => {
  test("a text message is a PlaintextEnvelope with xmtp.org/text 1.0 inside", () => {
    const { plaintext, content } = encodeTextMessage(GROUP, "hé", "k");
    const type = `0a12 0a08 ${toHex(utf8("xmtp.org"))} 1204 ${toHex(utf8("text"))} 1801`;
    const parameters = `1211 0a08 ${toHex(utf8("encoding"))} 1205 ${toHex(utf8("UTF-8"))}`;
    assert.equal(toHex(content), `${type} ${parameters} 2203 68c3a9`.replaceAll(" ", ""));
    assert.equal(toHex(plaintext), `0a31 0a2c ${toHex(content)} 1201 6b`.replaceAll(" ", ""));
  });

  test("it is read back with its id, which is that of the sender", () => {
    const sent = encodeTextMessage(GROUP, "hello");
    const received = decodeMessageContent(GROUP, sent.plaintext);
    assert.equal(received.text, "hello");
    assert.equal(received.contentType, "xmtp.org/text:1.0");
    assert.deepEqual(received.messageId, sent.messageId);
    assert.deepEqual(received.content, sent.content);
    assert.notDeepEqual(encodeTextMessage(GROUP, "hello").messageId, sent.messageId);
  });

  test("the id is SHA-256 over group, key and content with tabs between", () => {
    const expected = createHash("sha256").update(GROUP).update("\tkey\t").update(hex("0102")).digest();
    assert.deepEqual(messageId(GROUP, "key", hex("0102")), new Uint8Array(expected));
  });

  test("other content types come through with their fallback and without text", () => {
    const message = { contentType: "example.org/receipt:2.1", body: hex("01"), fallback: "a receipt" };
    const received = decodeMessageContent(GROUP, encodeMessageContent(GROUP, message).plaintext);
    assert.equal(received.contentType, "example.org/receipt:2.1");
    assert.equal(received.text, undefined);
    assert.equal(received.fallback, "a receipt");
    assert.deepEqual(received.body, hex("01"));
    assert.throws(() => encodeMessageContent(GROUP, { ...message, contentType: "text" }), { code: "DECODE" });
  });

  test("envelopes of version 2 are read; those without content are refused", () => {
    const { content } = encodeTextMessage(GROUP, "v2");
    const v2 = (messageType: { case: "content" | "deviceSyncRequest"; value: Uint8Array }) =>
      toBinary(
        PlaintextEnvelopeSchema,
        create(PlaintextEnvelopeSchema, { content: { case: "v2", value: { idempotencyKey: "k", messageType } } }),
      );
    assert.equal(decodeMessageContent(GROUP, v2({ case: "content", value: content })).text, "v2");
    const sync = v2({ case: "deviceSyncRequest", value: new Uint8Array(0) });
    assert.throws(() => decodeMessageContent(GROUP, sync), { code: "DECODE" });
  });

  test("compressed text is left as bytes", () => {
    const type = { authorityId: "xmtp.org", typeId: "text", versionMajor: 1, versionMinor: 0 };
    const content = toBinary(
      EncodedContentSchema,
      create(EncodedContentSchema, { type, compression: 1, content: hex("1f8b") }),
    );
    const value = { content, idempotencyKey: "k" };
    const envelope = create(PlaintextEnvelopeSchema, { content: { case: "v1", value } });
    assert.equal(decodeMessageContent(GROUP, toBinary(PlaintextEnvelopeSchema, envelope)).text, undefined);
  });

  test("malformed and over-long messages are refused with a typed error", () => {
    const body = { contentType: "xmtp.org/text:1.0", body: hex("ff") };
    const value = { content: new Uint8Array(0), idempotencyKey: "k" };
    const untyped = create(PlaintextEnvelopeSchema, { content: { case: "v1", value } });
    for (const plaintext of [
      hex(""),
      hex("ff"),
      encodeMessageContent(GROUP, body).plaintext,
      toBinary(PlaintextEnvelopeSchema, untyped),
      new Uint8Array(XMTP_LIMITS.maxContentBytes + 1),
    ]) {
      assert.throws(() => decodeMessageContent(GROUP, plaintext), { code: "DECODE" });
    }
  });
});
