import type { Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { decodeExtensions, encodeExtensions, type Extension } from "./extension.ts";

/** GroupContext (RFC 9420 §8.1): what every member of an epoch agrees on. */
export interface GroupContext {
  readonly version: number;
  readonly cipherSuite: number;
  readonly groupId: Uint8Array;
  readonly epoch: bigint;
  readonly treeHash: Uint8Array;
  readonly confirmedTranscriptHash: Uint8Array;
  readonly extensions: readonly Extension[];
}

export function encodeGroupContext(writer: Writer, context: GroupContext): void {
  writer.u16(context.version);
  writer.u16(context.cipherSuite);
  writer.opaque(context.groupId);
  writer.u64(context.epoch);
  writer.opaque(context.treeHash);
  writer.opaque(context.confirmedTranscriptHash);
  encodeExtensions(writer, context.extensions);
}

export function decodeGroupContext(reader: Reader): GroupContext {
  return {
    version: reader.u16(),
    cipherSuite: reader.u16(),
    groupId: reader.opaque(),
    epoch: reader.u64(),
    treeHash: reader.opaque(),
    confirmedTranscriptHash: reader.opaque(),
    extensions: decodeExtensions(reader),
  };
}

/** The TLS encoding of a GroupContext. */
export function groupContextBytes(context: GroupContext): Uint8Array {
  return encode(context, encodeGroupContext);
}
