import { create, toBinary } from "@bufbuild/protobuf";
import { concatBytes, DecodeError, toHex, utf8 } from "@latchkey/mls";
import { sha256 } from "@noble/hashes/sha2.js";
import { XMTP_LIMITS } from "../limits.ts";
import { decodeProto } from "../protobuf.ts";
import {
  EncodedContentSchema,
  PlaintextEnvelopeSchema,
  type EncodedContent,
  type PlaintextEnvelope,
} from "../proto.ts";
import { isReadBy, parseContentType, type CodedContent, type ContentCodec } from "./codec.ts";
import { textCodec } from "./text.ts";

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

/** Makes two messages of the same content differ. */
function newIdempotencyKey(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Content with its type, as EncodedContent carries it. */
interface TypedContent extends CodedContent {
  readonly contentType: string;
  readonly fallback?: string;
}

function typedContent<T>(codec: ContentCodec<T>, value: T): TypedContent {
  const fallback = codec.fallback(value);
  return { contentType: codec.type, ...codec.encode(value), ...(fallback !== undefined && { fallback }) };
}

function serialized({ contentType, body, parameters, fallback }: TypedContent): Uint8Array {
  const encoded = create(EncodedContentSchema, {
    type: parseContentType(contentType),
    content: body,
    parameters: { ...parameters },
    ...(fallback !== undefined && { fallback }),
  });
  return toBinary(EncodedContentSchema, encoded);
}

/** Serialized EncodedContent of a value, such as a reply carries it. Throws as the codec does. */
export function encodeContent<T>(codec: ContentCodec<T>, value: T): Uint8Array {
  return serialized(typedContent(codec, value));
}

/**
 * A message of any content type. `idempotencyKey` is random unless given; the same key and content give the same id.
 */
export function encodeMessageContent(
  groupId: Uint8Array,
  message: TypedContent,
  idempotencyKey: string = newIdempotencyKey(),
): OutgoingContent {
  const content = serialized(message);
  const { contentType } = message;
  const envelope = create(PlaintextEnvelopeSchema, { content: { case: "v1", value: { content, idempotencyKey } } });
  const plaintext = toBinary(PlaintextEnvelopeSchema, envelope);
  return { plaintext, messageId: messageId(groupId, idempotencyKey, content), content, contentType };
}

/** A message of a codec's type. The same key and value give the same id; the key is random unless given. */
export function encodeWith<T>(
  codec: ContentCodec<T>,
  value: T,
  groupId: Uint8Array,
  idempotencyKey?: string,
): OutgoingContent {
  return encodeMessageContent(groupId, typedContent(codec, value), idempotencyKey);
}

/** A text message (content type `xmtp.org/text:1.0`). */
export function encodeTextMessage(groupId: Uint8Array, text: string, idempotencyKey?: string): OutgoingContent {
  return encodeWith(textCodec, text, groupId, idempotencyKey);
}

/**
 * Reads an EncodedContent, such as `content` of a message, by a codec; undefined for content of another type or major
 * version, and for compressed content. Throws DecodeError for content that is malformed.
 */
export function decodeWith<T>(codec: ContentCodec<T>, content: Uint8Array): { readonly value: T } | undefined {
  return valueOf(codec, decodeProto(EncodedContentSchema, content));
}

function valueOf<T>(codec: ContentCodec<T>, encoded: EncodedContent): { readonly value: T } | undefined {
  const { type, content: body, parameters, compression } = encoded;
  if (type === undefined || !isReadBy(codec, type) || compression !== undefined) return undefined;
  return { value: codec.decode({ body, parameters }) };
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
  const id = messageId(groupId, envelope.content.value?.idempotencyKey ?? "", content);
  return { plaintext, messageId: id, ...readContent(content) };
}

/** Content of a serialized EncodedContent. Throws DecodeError for malformed content. */
export function readContent(content: Uint8Array): Omit<IncomingContent, "plaintext" | "messageId"> {
  const encoded = decodeProto(EncodedContentSchema, content);
  const { type, fallback, content: body } = encoded;
  if (type === undefined) throw new DecodeError("a message does not say its content type");
  return {
    content,
    contentType: `${type.authorityId}/${type.typeId}:${type.versionMajor}.${type.versionMinor}`,
    text: valueOf(textCodec, encoded)?.value,
    fallback,
    body,
  };
}
