import type { Reader } from "../codec/reader.ts";
import { encode, type Writer } from "../codec/writer.ts";
import { decodeExtensions, encodeExtensions, type Extension } from "./extension.ts";
import { decodeLeafNode, encodeLeafNode, type LeafNode } from "./leaf-node.ts";

/** The only protocol version there is: `mls10`. */
export const PROTOCOL_VERSION_MLS10 = 1;

/** KeyPackage (RFC 9420 §10). */
export interface KeyPackage {
  readonly version: number;
  readonly cipherSuite: number;
  readonly initKey: Uint8Array;
  readonly leafNode: LeafNode;
  readonly extensions: readonly Extension[];
  readonly signature: Uint8Array;
}

function encodeUnsigned(writer: Writer, value: Omit<KeyPackage, "signature">): void {
  writer.u16(value.version);
  writer.u16(value.cipherSuite);
  writer.opaque(value.initKey);
  encodeLeafNode(writer, value.leafNode);
  encodeExtensions(writer, value.extensions);
}

/** KeyPackageTBS. */
export function keyPackageToBeSigned(value: Omit<KeyPackage, "signature">): Uint8Array {
  return encode(value, encodeUnsigned);
}

export function encodeKeyPackage(writer: Writer, value: KeyPackage): void {
  encodeUnsigned(writer, value);
  writer.opaque(value.signature);
}

export function decodeKeyPackage(reader: Reader): KeyPackage {
  return {
    version: reader.u16(),
    cipherSuite: reader.u16(),
    initKey: reader.opaque(),
    leafNode: decodeLeafNode(reader),
    extensions: decodeExtensions(reader),
    signature: reader.opaque(),
  };
}
