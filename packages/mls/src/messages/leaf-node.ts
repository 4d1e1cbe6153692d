import type { Reader } from "../codec/reader.ts";
import { varintLength } from "../codec/varint.ts";
import { encode, Writer } from "../codec/writer.ts";
import { labelledCheck, signWithLabel } from "../crypto/labels.ts";
import type { CipherSuite, SignatureCheck } from "../crypto/provider.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import type { LeafIndex } from "../tree/math.ts";
import { decodeCredential, encodeCredential, type Credential } from "./credential.ts";
import { decodeExtensions, encodeExtensions, type Extension } from "./extension.ts";

/** Capabilities (RFC 9420 §7.2): lists of 16-bit types; default types need not be listed. */
export interface Capabilities {
  readonly versions: readonly number[];
  readonly cipherSuites: readonly number[];
  readonly extensions: readonly number[];
  readonly proposals: readonly number[];
  readonly credentials: readonly number[];
}

/** Lifetime (RFC 9420 §7.2), in seconds since 1970. */
export interface Lifetime {
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}

/** How the leaf came to be: `leaf_node_source` with the field that belongs to it. */
export type LeafNodeSource =
  | { readonly kind: "key_package"; readonly lifetime: Lifetime }
  | { readonly kind: "update" }
  | { readonly kind: "commit"; readonly parentHash: Uint8Array };

/** LeafNode (RFC 9420 §7.2). */
export interface LeafNode {
  readonly encryptionKey: Uint8Array;
  readonly signatureKey: Uint8Array;
  readonly credential: Credential;
  readonly capabilities: Capabilities;
  readonly source: LeafNodeSource;
  readonly extensions: readonly Extension[];
  readonly signature: Uint8Array;
}

/** Where a leaf stands. It is signed as well, unless the leaf is still in its key package. */
export interface LeafPosition {
  readonly groupId: Uint8Array;
  readonly leafIndex: LeafIndex;
}

const SOURCE = { key_package: 1, update: 2, commit: 3 } as const;

function encodeCapabilities(writer: Writer, value: Capabilities): void {
  const lists = [value.versions, value.cipherSuites, value.extensions, value.proposals, value.credentials];
  for (const list of lists) writer.vector(list, (inner, type) => inner.u16(type));
}

function decodeCapabilities(reader: Reader): Capabilities {
  const list = () => reader.vector((inner) => inner.u16(), MLS_LIMITS.maxCapabilities);
  return { versions: list(), cipherSuites: list(), extensions: list(), proposals: list(), credentials: list() };
}

function encodeUnsigned(writer: Writer, leaf: Omit<LeafNode, "signature">): void {
  writer.opaque(leaf.encryptionKey);
  writer.opaque(leaf.signatureKey);
  encodeCredential(writer, leaf.credential);
  encodeCapabilities(writer, leaf.capabilities);
  writer.u8(SOURCE[leaf.source.kind]);
  if (leaf.source.kind === "key_package") {
    writer.u64(leaf.source.lifetime.notBefore);
    writer.u64(leaf.source.lifetime.notAfter);
  } else if (leaf.source.kind === "commit") {
    writer.opaque(leaf.source.parentHash);
  }
  encodeExtensions(writer, leaf.extensions);
}

export function encodeLeafNode(writer: Writer, leaf: LeafNode): void {
  encodeUnsigned(writer, leaf);
  writer.opaque(leaf.signature);
}

function decodeSource(reader: Reader): LeafNodeSource {
  const source = reader.u8();
  if (source === SOURCE.key_package) {
    return { kind: "key_package", lifetime: { notBefore: reader.u64(), notAfter: reader.u64() } };
  }
  if (source === SOURCE.update) return { kind: "update" };
  if (source === SOURCE.commit) return { kind: "commit", parentHash: reader.opaque() };
  throw new DecodeError(`leaf node source ${source} is unknown`);
}

export function decodeLeafNode(reader: Reader): LeafNode {
  return {
    encryptionKey: reader.opaque(),
    signatureKey: reader.opaque(),
    credential: decodeCredential(reader),
    capabilities: decodeCapabilities(reader),
    source: decodeSource(reader),
    extensions: decodeExtensions(reader),
    signature: reader.opaque(),
  };
}

/** LeafNodeTBS from the encoded leaf without its signature. */
function toBeSigned(unsigned: Uint8Array, source: LeafNodeSource, position: LeafPosition | undefined): Uint8Array {
  if (source.kind === "key_package") return unsigned;
  if (position === undefined) throw new DecodeError(`a leaf of source ${source.kind} stands outside of a tree`);
  const { groupId, leafIndex } = position;
  const writer = new Writer(unsigned.length + varintLength(groupId.length) + groupId.length + 4);
  writer.bytes(unsigned);
  writer.opaque(groupId);
  writer.u32(leafIndex);
  return writer.finish();
}

/** Signs a leaf (RFC 9420 §7.2); `position` is needed for the sources update and commit. */
export async function signLeafNode(
  suite: CipherSuite,
  privateKey: Uint8Array,
  leaf: Omit<LeafNode, "signature">,
  position?: LeafPosition,
): Promise<LeafNode> {
  const content = toBeSigned(encode(leaf, encodeUnsigned), leaf.source, position);
  return { ...leaf, signature: await signWithLabel(suite, privateKey, "LeafNodeTBS", content) };
}

/** The check of a leaf's own signature; `bytes` is its TLS encoding. */
export function leafNodeCheck(leaf: LeafNode, bytes: Uint8Array, position?: LeafPosition): SignatureCheck {
  const signatureBytes = varintLength(leaf.signature.length) + leaf.signature.length;
  const unsigned = bytes.subarray(0, bytes.length - signatureBytes);
  const content = toBeSigned(unsigned, leaf.source, position);
  return labelledCheck(leaf.signatureKey, "LeafNodeTBS", content, leaf.signature);
}
