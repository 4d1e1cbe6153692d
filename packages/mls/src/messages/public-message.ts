import type { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { constantTimeEqual } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import {
  decodeAuthData,
  decodeFramedContent,
  encodeAuthData,
  encodeFramedContent,
  framedContentToBeSigned,
  type AuthenticatedContent,
  type FramedContent,
  type FramedContentAuthData,
} from "./framing.ts";

/** PublicMessage (RFC 9420 §6.2); the membership tag is there exactly for members. */
export interface PublicMessage {
  readonly content: FramedContent;
  readonly auth: FramedContentAuthData;
  readonly membershipTag: Uint8Array | undefined;
}

export function encodePublicMessage(writer: Writer, message: PublicMessage): void {
  encodeFramedContent(writer, message.content);
  encodeAuthData(writer, message.auth);
  if (message.membershipTag !== undefined) writer.opaque(message.membershipTag);
}

export function decodePublicMessage(reader: Reader): PublicMessage {
  const content = decodeFramedContent(reader);
  return {
    content,
    auth: decodeAuthData(reader, content.content.kind),
    membershipTag: content.sender.kind === "member" ? reader.opaque() : undefined,
  };
}

/** The signed part of a PublicMessage. */
export function publicMessageContent(message: PublicMessage): AuthenticatedContent {
  return { wireFormat: "public_message", content: message.content, auth: message.auth };
}

/** membership_tag = MAC(membership_key, AuthenticatedContentTBM) (RFC 9420 §6.2). */
export function computeMembershipTag(
  suite: CipherSuite,
  membershipKey: Uint8Array,
  content: FramedContent,
  auth: FramedContentAuthData,
  contextBytes: Uint8Array,
): Uint8Array {
  const writer = new Writer();
  writer.bytes(framedContentToBeSigned("public_message", content, contextBytes));
  encodeAuthData(writer, auth);
  return suite.hmac(membershipKey, writer.finish());
}

/** True when the tag of a member's PublicMessage is right; a missing tag never is. */
export function membershipTagMatches(
  suite: CipherSuite,
  membershipKey: Uint8Array,
  message: PublicMessage,
  contextBytes: Uint8Array,
): boolean {
  if (message.membershipTag === undefined) return false;
  const expected = computeMembershipTag(suite, membershipKey, message.content, message.auth, contextBytes);
  return constantTimeEqual(expected, message.membershipTag);
}
