import { type CryptoProvider, decodeExact, encode, type Reader } from "@latchkey/mls";
import {
  type AuthenticatedContent,
  computeConfirmationTag,
  confirmedTranscriptHash,
  decodeAuthData,
  decodeFramedContent,
  encodeAuthenticatedContent,
  interimTranscriptHash,
  WIRE_FORMAT,
} from "@latchkey/mls/internals";
import { expectBytes, expectSame, VectorMismatch } from "../expect.ts";
import { bytesField, type Fields } from "../fields.ts";
import { suiteOf, type VectorKind } from "../kind.ts";

/** AuthenticatedContent never travels by itself, so the engine writes it (for hashes) but has no need to read it. */
function decodeAuthenticatedContent(reader: Reader): AuthenticatedContent {
  const value = reader.u16();
  const wireFormat = (["public_message", "private_message"] as const).find((name) => WIRE_FORMAT[name] === value);
  if (wireFormat === undefined) throw new VectorMismatch(`wire format ${value} frames no content`);
  const content = decodeFramedContent(reader);
  return { wireFormat, content, auth: decodeAuthData(reader, content.content.kind) };
}

function verify(vector: Fields, crypto: CryptoProvider): void {
  const suite = suiteOf(vector, crypto);
  const bytes = bytesField(vector, "authenticated_content");
  const message = decodeExact(bytes, decodeAuthenticatedContent);
  expectBytes("the AuthenticatedContent written again", encode(message, encodeAuthenticatedContent), bytes);
  expectSame<string>("the content", message.content.content.kind, "commit");
  const { confirmationTag } = message.auth;
  if (confirmationTag === undefined) throw new VectorMismatch("the commit has no confirmation tag");

  const confirmed = confirmedTranscriptHash(suite, bytesField(vector, "interim_transcript_hash_before"), message);
  expectBytes("the confirmed transcript hash", confirmed, bytesField(vector, "confirmed_transcript_hash_after"));
  const interim = interimTranscriptHash(suite, confirmed, confirmationTag);
  expectBytes("the interim transcript hash", interim, bytesField(vector, "interim_transcript_hash_after"));
  const tag = computeConfirmationTag(suite, bytesField(vector, "confirmation_key"), confirmed);
  expectBytes("the confirmation tag", tag, confirmationTag);
}

/** "Transcript Hashes": both hashes and the confirmation tag of a commit (RFC 9420 §8.1, §8.2). */
export const transcriptHashes: VectorKind = {
  files: ["transcript-hashes"],
  shape: ["authenticated_content", "confirmation_key"],
  verify,
};
