import type { Reader } from "../codec/reader.ts";
import { Writer } from "../codec/writer.ts";
import { labelledCheck, signWithLabel } from "../crypto/labels.ts";
import type { CipherSuite, SignatureCheck } from "../crypto/provider.ts";
import { DecodeError } from "../errors.ts";
import { asLeafIndex, type LeafIndex } from "../tree/math.ts";
import { decodeCommit, encodeCommit, type Commit } from "./commit.ts";
import { PROTOCOL_VERSION_MLS10 } from "./key-package.ts";
import { decodeProposal, encodeProposal, type Proposal } from "./proposal.ts";

/** Sender (RFC 9420 §6). */
export type Sender =
  | { readonly kind: "member"; readonly leafIndex: LeafIndex }
  | { readonly kind: "external"; readonly senderIndex: number }
  | { readonly kind: "new_member_proposal" }
  | { readonly kind: "new_member_commit" };

/** The body of a FramedContent, by `content_type`. */
export type Content =
  | { readonly kind: "application"; readonly data: Uint8Array }
  | { readonly kind: "proposal"; readonly proposal: Proposal }
  | { readonly kind: "commit"; readonly commit: Commit };

export type ContentKind = Content["kind"];

/** FramedContent (RFC 9420 §6). */
export interface FramedContent {
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly sender: Sender;
  readonly authenticatedData: Uint8Array;
  readonly content: Content;
}

/** FramedContentAuthData (RFC 9420 §6.1); the confirmation tag is there exactly for commits. */
export interface FramedContentAuthData {
  readonly signature: Uint8Array;
  readonly confirmationTag: Uint8Array | undefined;
}

/** Wire formats of RFC 9420 §17.2. */
export const WIRE_FORMAT = {
  public_message: 1,
  private_message: 2,
  welcome: 3,
  group_info: 4,
  key_package: 5,
} as const;

export type FramingWireFormat = "public_message" | "private_message";

/** AuthenticatedContent (RFC 9420 §6). */
export interface AuthenticatedContent {
  readonly wireFormat: FramingWireFormat;
  readonly content: FramedContent;
  readonly auth: FramedContentAuthData;
}

const SENDER_TYPE = { member: 1, external: 2, new_member_proposal: 3, new_member_commit: 4 } as const;

/** ContentType (RFC 9420 §6). */
export const CONTENT_TYPE = { application: 1, proposal: 2, commit: 3 } as const satisfies Record<ContentKind, number>;

/** Reads a ContentType; throws DecodeError for an unknown one. */
export function decodeContentKind(reader: Reader): ContentKind {
  const type = reader.u8();
  for (const kind of ["application", "proposal", "commit"] as const) if (CONTENT_TYPE[kind] === type) return kind;
  throw new DecodeError(`content type ${type} is unknown`);
}

export function encodeSender(writer: Writer, sender: Sender): void {
  writer.u8(SENDER_TYPE[sender.kind]);
  if (sender.kind === "member") writer.u32(sender.leafIndex);
  if (sender.kind === "external") writer.u32(sender.senderIndex);
}

export function decodeSender(reader: Reader): Sender {
  const type = reader.u8();
  switch (type) {
    case SENDER_TYPE.member:
      return { kind: "member", leafIndex: asLeafIndex(reader.u32()) };
    case SENDER_TYPE.external:
      return { kind: "external", senderIndex: reader.u32() };
    case SENDER_TYPE.new_member_proposal:
      return { kind: "new_member_proposal" };
    case SENDER_TYPE.new_member_commit:
      return { kind: "new_member_commit" };
    default:
      throw new DecodeError(`sender type ${type} is unknown`);
  }
}

/** The body alone, as it also stands in a PrivateMessageContent. */
export function encodeContentBody(writer: Writer, content: Content): void {
  if (content.kind === "application") writer.opaque(content.data);
  else if (content.kind === "proposal") encodeProposal(writer, content.proposal);
  else encodeCommit(writer, content.commit);
}

export function decodeContentBody(reader: Reader, kind: ContentKind): Content {
  if (kind === "application") return { kind, data: reader.opaque() };
  if (kind === "proposal") return { kind, proposal: decodeProposal(reader) };
  return { kind, commit: decodeCommit(reader) };
}

export function encodeFramedContent(writer: Writer, value: FramedContent): void {
  writer.opaque(value.groupId);
  writer.u64(value.epoch);
  encodeSender(writer, value.sender);
  writer.opaque(value.authenticatedData);
  writer.u8(CONTENT_TYPE[value.content.kind]);
  encodeContentBody(writer, value.content);
}

export function decodeFramedContent(reader: Reader): FramedContent {
  return {
    groupId: reader.opaque(),
    epoch: reader.u64(),
    sender: decodeSender(reader),
    authenticatedData: reader.opaque(),
    content: decodeContentBody(reader, decodeContentKind(reader)),
  };
}

export function encodeAuthData(writer: Writer, auth: FramedContentAuthData): void {
  writer.opaque(auth.signature);
  if (auth.confirmationTag !== undefined) writer.opaque(auth.confirmationTag);
}

export function decodeAuthData(reader: Reader, kind: ContentKind): FramedContentAuthData {
  return { signature: reader.opaque(), confirmationTag: kind === "commit" ? reader.opaque() : undefined };
}

export function encodeAuthenticatedContent(writer: Writer, value: AuthenticatedContent): void {
  writer.u16(WIRE_FORMAT[value.wireFormat]);
  encodeFramedContent(writer, value.content);
  encodeAuthData(writer, value.auth);
}

/** FramedContentTBS (RFC 9420 §6.1): members and external joiners also sign the GroupContext. */
export function framedContentToBeSigned(
  wireFormat: FramingWireFormat,
  content: FramedContent,
  contextBytes: Uint8Array,
): Uint8Array {
  const writer = new Writer();
  writer.u16(PROTOCOL_VERSION_MLS10);
  writer.u16(WIRE_FORMAT[wireFormat]);
  encodeFramedContent(writer, content);
  if (content.sender.kind === "member" || content.sender.kind === "new_member_commit") writer.bytes(contextBytes);
  return writer.finish();
}

export async function signFramedContent(
  suite: CipherSuite,
  privateKey: Uint8Array,
  wireFormat: FramingWireFormat,
  content: FramedContent,
  contextBytes: Uint8Array,
): Promise<Uint8Array> {
  const toBeSigned = framedContentToBeSigned(wireFormat, content, contextBytes);
  return signWithLabel(suite, privateKey, "FramedContentTBS", toBeSigned);
}

export function framedContentCheck(
  message: AuthenticatedContent,
  signatureKey: Uint8Array,
  contextBytes: Uint8Array,
): SignatureCheck {
  const toBeSigned = framedContentToBeSigned(message.wireFormat, message.content, contextBytes);
  return labelledCheck(signatureKey, "FramedContentTBS", toBeSigned, message.auth.signature);
}
