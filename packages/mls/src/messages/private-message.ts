import { decodeExact, type Reader } from "../codec/reader.ts";
import { encode, Writer } from "../codec/writer.ts";
import { expandWithLabel } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { DecodeError, ValidationError } from "../errors.ts";
import { asLeafIndex, type LeafIndex } from "../tree/math.ts";
import {
  CONTENT_TYPE,
  decodeAuthData,
  decodeContentBody,
  decodeContentKind,
  encodeAuthData,
  encodeContentBody,
  type AuthenticatedContent,
  type Content,
  type ContentKind,
  type FramedContentAuthData,
} from "./framing.ts";

/** PrivateMessage (RFC 9420 §6.3). */
export interface PrivateMessage {
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly contentKind: ContentKind;
  readonly authenticatedData: Uint8Array;
  readonly encryptedSenderData: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** SenderData (RFC 9420 §6.3.2). */
export interface SenderData {
  readonly leafIndex: LeafIndex;
  readonly generation: number;
  readonly reuseGuard: Uint8Array;
}

/** Key and nonce of one message, from the secret tree. */
export interface MessageKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

const REUSE_GUARD_LENGTH = 4;

export function encodePrivateMessage(writer: Writer, message: PrivateMessage): void {
  encodeAdditionalData(writer, message);
  writer.opaque(message.encryptedSenderData);
  writer.opaque(message.ciphertext);
}

export function decodePrivateMessage(reader: Reader): PrivateMessage {
  return {
    groupId: reader.opaque(),
    epoch: reader.u64(),
    contentKind: decodeContentKind(reader),
    authenticatedData: reader.opaque(),
    encryptedSenderData: reader.opaque(),
    ciphertext: reader.opaque(),
  };
}

type Header = Pick<PrivateMessage, "groupId" | "epoch" | "contentKind" | "authenticatedData">;

function encodeSenderDataAdditionalData(writer: Writer, header: Header): void {
  writer.opaque(header.groupId);
  writer.u64(header.epoch);
  writer.u8(CONTENT_TYPE[header.contentKind]);
}

/** PrivateContentAAD (RFC 9420 §6.3.1). */
function encodeAdditionalData(writer: Writer, header: Header): void {
  encodeSenderDataAdditionalData(writer, header);
  writer.opaque(header.authenticatedData);
}

/** Key and nonce of a message's sender data, from a sample of its ciphertext (RFC 9420 §6.3.2). */
export function senderDataKey(suite: CipherSuite, senderDataSecret: Uint8Array, ciphertext: Uint8Array): MessageKey {
  const sample = ciphertext.subarray(0, suite.hashLength);
  return {
    key: expandWithLabel(suite, senderDataSecret, "key", sample, suite.aeadKeyLength),
    nonce: expandWithLabel(suite, senderDataSecret, "nonce", sample, suite.aeadNonceLength),
  };
}

function guardedNonce(nonce: Uint8Array, reuseGuard: Uint8Array): Uint8Array {
  const guarded = nonce.slice();
  reuseGuard.forEach((byte, index) => (guarded[index] = (guarded[index] ?? 0) ^ byte));
  return guarded;
}

/** Encrypts a signed content (RFC 9420 §6.3); `padding` zero bytes are added to the plaintext. */
export function sealPrivateMessage(
  suite: CipherSuite,
  message: AuthenticatedContent,
  leafIndex: LeafIndex,
  generation: number,
  messageKey: MessageKey,
  senderDataSecret: Uint8Array,
  padding: number,
): PrivateMessage {
  const { content, auth } = message;
  const header: Header = {
    groupId: content.groupId,
    epoch: content.epoch,
    contentKind: content.content.kind,
    authenticatedData: content.authenticatedData,
  };
  const plaintext = new Writer();
  encodeContentBody(plaintext, content.content);
  encodeAuthData(plaintext, auth);
  plaintext.bytes(new Uint8Array(padding));
  const reuseGuard = suite.randomBytes(REUSE_GUARD_LENGTH);
  const nonce = guardedNonce(messageKey.nonce, reuseGuard);
  const ciphertext = suite.aeadSeal(messageKey.key, nonce, encode(header, encodeAdditionalData), plaintext.finish());
  const senderData = new Writer();
  senderData.u32(leafIndex);
  senderData.u32(generation);
  senderData.bytes(reuseGuard);
  const outer = senderDataKey(suite, senderDataSecret, ciphertext);
  const aad = encode(header, encodeSenderDataAdditionalData);
  const encryptedSenderData = suite.aeadSeal(outer.key, outer.nonce, aad, senderData.finish());
  return { ...header, encryptedSenderData, ciphertext };
}

/** Opens the sender data (RFC 9420 §6.3.2); throws CryptoError or DecodeError. */
export function openSenderData(suite: CipherSuite, message: PrivateMessage, senderDataSecret: Uint8Array): SenderData {
  const outer = senderDataKey(suite, senderDataSecret, message.ciphertext);
  const aad = encode(message, encodeSenderDataAdditionalData);
  const plaintext = suite.aeadOpen(outer.key, outer.nonce, aad, message.encryptedSenderData);
  return decodeExact(plaintext, (reader) => ({
    leafIndex: asLeafIndex(reader.u32()),
    generation: reader.u32(),
    reuseGuard: reader.bytes(REUSE_GUARD_LENGTH),
  }));
}

/** Opens the content (RFC 9420 §6.3.1); throws CryptoError, DecodeError, or ValidationError for padding that is not zero. */
export function openPrivateContent(
  suite: CipherSuite,
  message: PrivateMessage,
  senderData: SenderData,
  messageKey: MessageKey,
): { content: Content; auth: FramedContentAuthData } {
  const nonce = guardedNonce(messageKey.nonce, senderData.reuseGuard);
  const aad = encode(message, encodeAdditionalData);
  const plaintext = suite.aeadOpen(messageKey.key, nonce, aad, message.ciphertext);
  return decodeExact(plaintext, (reader) => {
    const content = decodeContentBody(reader, message.contentKind);
    const auth = decodeAuthData(reader, message.contentKind);
    if (reader.bytes(reader.remaining).some((byte) => byte !== 0)) {
      throw new ValidationError("private-padding", "the padding of a PrivateMessage is not all zero");
    }
    return { content, auth };
  });
}

/** Throws DecodeError unless the ciphertext is long enough to hold a tag: checked before any key is derived. */
export function checkCiphertextLength(message: PrivateMessage): void {
  if (message.ciphertext.length < 16) throw new DecodeError("the ciphertext of a PrivateMessage is shorter than a tag");
}
