import { decodeExact, type Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodeCredential, encodeCredential, type Credential } from "./credential.ts";

/** ExternalSender (RFC 9420 §12.1.8.1): somebody outside of the group who may propose. */
export interface ExternalSender {
  readonly signatureKey: Uint8Array;
  readonly credential: Credential;
}

function encodeExternalSender(writer: Writer, sender: ExternalSender): void {
  writer.opaque(sender.signatureKey);
  encodeCredential(writer, sender.credential);
}

function decodeExternalSender(reader: Reader): ExternalSender {
  return { signatureKey: reader.opaque(), credential: decodeCredential(reader) };
}

/** Data of an `external_senders` extension. */
export function encodeExternalSenders(senders: readonly ExternalSender[]): Uint8Array {
  return encode(senders, (writer, list) => writer.vector(list, encodeExternalSender));
}

/** Reads the data of an `external_senders` extension; throws DecodeError. */
export function decodeExternalSenders(data: Uint8Array): ExternalSender[] {
  return decodeExact(data, (reader) => reader.vector(decodeExternalSender, MLS_LIMITS.maxExternalSenders));
}
