import { Writer } from "../codec/writer.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { encodeFramedContent, WIRE_FORMAT, type AuthenticatedContent } from "../messages/framing.ts";

/** confirmed_transcript_hash after a commit (RFC 9420 §8.2). */
export function confirmedTranscriptHash(
  suite: CipherSuite,
  interimTranscriptHash: Uint8Array,
  commit: AuthenticatedContent,
): Uint8Array {
  const writer = new Writer();
  writer.bytes(interimTranscriptHash);
  writer.u16(WIRE_FORMAT[commit.wireFormat]);
  encodeFramedContent(writer, commit.content);
  writer.opaque(commit.auth.signature);
  return suite.hash(writer.finish());
}

/** interim_transcript_hash of an epoch (RFC 9420 §8.2). */
export function interimTranscriptHash(
  suite: CipherSuite,
  confirmedHash: Uint8Array,
  confirmationTag: Uint8Array,
): Uint8Array {
  const writer = new Writer();
  writer.bytes(confirmedHash);
  writer.opaque(confirmationTag);
  return suite.hash(writer.finish());
}

/** confirmation_tag of an epoch (RFC 9420 §8.1). */
export function computeConfirmationTag(
  suite: CipherSuite,
  confirmationKey: Uint8Array,
  confirmedHash: Uint8Array,
): Uint8Array {
  return suite.hmac(confirmationKey, confirmedHash);
}
