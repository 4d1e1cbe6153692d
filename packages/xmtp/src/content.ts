import { create, toBinary } from "@bufbuild/protobuf";
import { concatBytes, DecodeError, decodeUtf8, toHex, utf8 } from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import { XMTP_LIMITS } from "./limits.ts";
import { decodeProto } from "./protobuf.ts";
import { EncodedContentSchema, PlaintextEnvelopeSchema, type EncodedContent, type PlaintextEnvelope } from "./proto.ts";

/** Content type of plain text. */
export const TEXT_CONTENT_TYPE = "xmtp.org/text:1.0";

/**
 * Content type of a join receipt, which has no content: that it can be read is the message. As XMTP's own silent types it
 * has no fallback, so that programs that do not know it show nothing.
 */
export const JOIN_RECEIPT_CONTENT_TYPE = "latchkey.link/joinReceipt:1.0";

/** A message ready to be encrypted. */
export interface OutgoingContent {
  /** The application data to encrypt: a PlaintextEnvelope. */
  readonly plaintext: Uint8Array;
  /** 32 bytes. */
  readonly messageId: Uint8Array;
  /** The EncodedContent inside. */
  readonly content: Uint8Array;
  /** `authority/type:major.minor`. */
  readonly contentType: string;
}

/** A message that was decrypted. */
export interface IncomingContent extends OutgoingContent {
  /** Of text messages; else undefined. */
  readonly text: string | undefined;
  /** What to show where the type is not known. */
  readonly fallback: string | undefined;
  /** The content proper, as its type defines. */
  readonly body: Uint8Array;
}

/** Id of a message: SHA-256 over group id, idempotency key and EncodedContent, joined by tabs. 32 bytes. */
export function messageId(groupId: Uint8Array, idempotencyKey: string, content: Uint8Array): Uint8Array {
  const tab = utf8("\t");
  return sha256(concatBytes(groupId, tab, utf8(idempotencyKey), tab, content));
}

function parseContentType(text: string) {
  const match = /^([^/]+)\/([^:]+):(\d+)\.(\d+)$/.exec(text);
  if (match === null) throw new DecodeError("a content type has the form authority/type:major.minor");
  const [, authorityId = "", typeId = "", major, minor] = match;
  return { authorityId, typeId, versionMajor: Number(major), versionMinor: Number(minor) };
}

/** Makes two messages of the same content differ. */
function newIdempotencyKey(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}

/**
 * A message of any content type. `idempotencyKey` is random unless given; the same key and content give the same id.
 */
export function encodeMessageContent(
  groupId: Uint8Array,
  message: { contentType: string; body: Uint8Array; parameters?: Record<string, string>; fallback?: string },
  idempotencyKey: string = newIdempotencyKey(),
): OutgoingContent {
  const { contentType, body, parameters, fallback } = message;
  const encoded = create(EncodedContentSchema, {
    type: parseContentType(contentType),
    content: body,
    parameters: parameters ?? {},
    ...(fallback !== undefined && { fallback }),
  });
  const content = toBinary(EncodedContentSchema, encoded);
  const envelope = create(PlaintextEnvelopeSchema, { content: { case: "v1", value: { content, idempotencyKey } } });
  const plaintext = toBinary(PlaintextEnvelopeSchema, envelope);
  return { plaintext, messageId: messageId(groupId, idempotencyKey, content), content, contentType };
}

/** A text message (content type `xmtp.org/text:1.0`). */
export function encodeTextMessage(groupId: Uint8Array, text: string, idempotencyKey?: string): OutgoingContent {
  const message = { contentType: TEXT_CONTENT_TYPE, body: utf8(text), parameters: { encoding: "UTF-8" } };
  return encodeMessageContent(groupId, message, idempotencyKey);
}

/** Content type by which a member asks to be taken out of the group; a super admin's client does it. */
export const LEAVE_REQUEST_CONTENT_TYPE = "xmtp.org/leave_request:1.0";

/** A message that asks for one's own removal. */
export function encodeLeaveRequest(groupId: Uint8Array, idempotencyKey?: string): OutgoingContent {
  const message = { contentType: LEAVE_REQUEST_CONTENT_TYPE, body: new Uint8Array(0) };
  return encodeMessageContent(groupId, message, idempotencyKey);
}

function decodeText({ type, content, compression }: EncodedContent): string | undefined {
  const isText = type?.authorityId === "xmtp.org" && type.typeId === "text" && type.versionMajor === 1;
  if (!isText || compression !== undefined) return undefined;
  try {
    return decodeUtf8(content);
  } catch (cause) {
    throw new DecodeError("a text message is not UTF-8", { cause });
  }
}

function contentOf({ content: envelope }: PlaintextEnvelope): Uint8Array {
  if (envelope.case === "v1") return envelope.value.content;
  if (envelope.value?.messageType.case === "content") return envelope.value.messageType.value;
  throw new DecodeError("a message is of an unknown version or is no content for a group");
}

/**
 * Reads an application message's plaintext. Of types other than text the bytes and the fallback are returned. Throws
 * DecodeError for malformed and over-long messages.
 */
export function decodeMessageContent(groupId: Uint8Array, plaintext: Uint8Array): IncomingContent {
  if (plaintext.length > XMTP_LIMITS.maxContentBytes) {
    throw new DecodeError(`a message has ${plaintext.length} bytes; the limit is ${XMTP_LIMITS.maxContentBytes}`);
  }
  const envelope = decodeProto(PlaintextEnvelopeSchema, plaintext);
  const content = contentOf(envelope);
  const encoded = decodeProto(EncodedContentSchema, content);
  const { type, fallback, content: body } = encoded;
  if (type === undefined) throw new DecodeError("a message does not say its content type");
  return {
    plaintext,
    messageId: messageId(groupId, envelope.content.value?.idempotencyKey ?? "", content),
    content,
    contentType: `${type.authorityId}/${type.typeId}:${type.versionMajor}.${type.versionMinor}`,
    text: decodeText(encoded),
    fallback,
    body,
  };
}
