import { decodeExact, type Reader } from "../codec/reader.ts";
import { varintLength } from "../codec/varint.ts";
import { encode, Writer } from "../codec/writer.ts";
import { DecodeError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { decodeLeafNode, encodeLeafNode, type LeafNode } from "../messages/leaf-node.ts";
import { asLeafIndex, isLeaf, type LeafIndex, type NodeIndex } from "./math.ts";

/** ParentNode (RFC 9420 §7.1). */
export interface ParentNode {
  readonly encryptionKey: Uint8Array;
  readonly parentHash: Uint8Array;
  /** Ascending. */
  readonly unmergedLeaves: readonly LeafIndex[];
}

/** A non-blank node in its TLS encoding, so that hashing and exporting never encode again. */
export interface EncodedNode {
  readonly kind: "leaf" | "parent";
  readonly bytes: Uint8Array;
}

/** A non-blank node beside its encoding. */
export type TreeNode =
  | (EncodedNode & { readonly kind: "leaf"; readonly leaf: LeafNode })
  | (EncodedNode & { readonly kind: "parent"; readonly parent: ParentNode });

const NODE_TYPE = { leaf: 1, parent: 2 } as const;

function encodeParentNode(writer: Writer, parent: ParentNode): void {
  writer.opaque(parent.encryptionKey);
  writer.opaque(parent.parentHash);
  writer.vector(parent.unmergedLeaves, (inner, leaf) => inner.u32(leaf));
}

function decodeParentNode(reader: Reader): ParentNode {
  return {
    encryptionKey: reader.opaque(),
    parentHash: reader.opaque(),
    unmergedLeaves: reader.vector((inner) => asLeafIndex(inner.u32()), MLS_LIMITS.maxLeaves),
  };
}

/** A tree node of a leaf that was just made. */
export function leafTreeNode(leaf: LeafNode): TreeNode & { kind: "leaf" } {
  return { kind: "leaf", leaf, bytes: encode(leaf, encodeLeafNode) };
}

/** A tree node of a parent that was just made. */
export function parentTreeNode(parent: ParentNode): TreeNode & { kind: "parent" } {
  return { kind: "parent", parent, bytes: encode(parent, encodeParentNode) };
}

/** The HPKE key of a node of either kind. */
export function encryptionKeyOf(node: TreeNode): Uint8Array {
  return node.kind === "leaf" ? node.leaf.encryptionKey : node.parent.encryptionKey;
}

/** Node (RFC 9420 §7.8): its type and its encoding. */
export function encodeTreeNode(writer: Writer, node: EncodedNode): void {
  writer.u8(NODE_TYPE[node.kind]);
  writer.bytes(node.bytes);
}

export function decodeTreeNode(reader: Reader): TreeNode {
  const type = reader.u8();
  const start = reader.offset;
  if (type === NODE_TYPE.leaf) {
    const leaf = decodeLeafNode(reader);
    return { kind: "leaf", leaf, bytes: reader.since(start) };
  }
  if (type === NODE_TYPE.parent) {
    const parent = decodeParentNode(reader);
    return { kind: "parent", parent, bytes: reader.since(start) };
  }
  throw new DecodeError(`node type ${type} is unknown`);
}

/** A node from the encoding that stands at an index of a tree, O(its bytes). */
export function treeNodeAt(index: NodeIndex, bytes: Uint8Array): TreeNode {
  return isLeaf(index)
    ? { kind: "leaf", leaf: decodeExact(bytes, decodeLeafNode), bytes }
    : { kind: "parent", parent: decodeExact(bytes, decodeParentNode), bytes };
}

/** Data of a `ratchet_tree` extension (RFC 9420 §12.4.3.3): the nodes up to the last one that is not blank. */
export function encodeRatchetTree(nodes: readonly (EncodedNode | undefined)[]): Uint8Array {
  const end = nodes.findLastIndex((node) => node !== undefined) + 1;
  // The length comes first, so that the whole tree is written once: presence, type, and the bytes the node keeps.
  let length = end;
  for (let at = 0; at < end; at++) length += 1 + (nodes[at]?.bytes.length ?? -1);
  const writer = new Writer(length + varintLength(length));
  writer.varint(length);
  for (let at = 0; at < end; at++) writer.optional(nodes[at], encodeTreeNode);
  return writer.finish();
}

/** Content of a `ratchet_tree` extension, as differences from a known tree; from an empty one by default. */
export interface TreeChanges {
  /** Nodes up to the last one that is not blank. */
  readonly width: number;
  /** Undefined where the known tree has a node and this one a blank. */
  readonly nodes: ReadonlyMap<NodeIndex, TreeNode | undefined>;
}

const BLANK = Uint8Array.of(0);
const PRESENT = { leaf: Uint8Array.of(1, NODE_TYPE.leaf), parent: Uint8Array.of(1, NODE_TYPE.parent) };

/**
 * True when the entry is byte for byte that of the known tree at the same index; the entry is read then. An entry tells
 * its own length, so that bytes which were an entry once are the whole of it here too.
 */
function skipKnown(reader: Reader, known: EncodedNode | undefined): boolean {
  if (known === undefined) return reader.skipIfNext(BLANK);
  return reader.skipIfNext(PRESENT[known.kind], known.bytes);
}

/**
 * Reads a `ratchet_tree` extension; nodes that `known` has at the same index are not decoded again. Throws DecodeError
 * when a node stands at an index of the other kind, when the last node is blank, or when the list is empty or too long.
 */
export function decodeTreeChanges(data: Uint8Array, known: readonly (EncodedNode | undefined)[] = []): TreeChanges {
  const nodes = new Map<NodeIndex, TreeNode | undefined>();
  let next = 0;
  /** Reads one entry; false for a blank. */
  const entry = (reader: Reader): boolean => {
    const index = next++ as NodeIndex;
    if (skipKnown(reader, known[index])) return known[index] !== undefined;
    const node = reader.optional(decodeTreeNode);
    if (node !== undefined && (node.kind === "leaf") !== isLeaf(index)) {
      throw new DecodeError(`node ${index} of the ratchet tree is of the wrong kind`);
    }
    nodes.set(index, node);
    return node !== undefined;
  };
  const entries = decodeExact(data, (reader) => reader.vector(entry, 2 * MLS_LIMITS.maxLeaves - 1));
  const width = entries.length;
  if (entries.at(-1) !== true) throw new DecodeError("the ratchet tree is empty, or ends with a blank node");
  for (let at = width; at < known.length; at++) if (known[at] !== undefined) nodes.set(at as NodeIndex, undefined);
  return { width, nodes };
}

/** Reads a whole `ratchet_tree` extension; throws DecodeError as `decodeTreeChanges` does. */
export function decodeRatchetTree(data: Uint8Array): (TreeNode | undefined)[] {
  const { width, nodes } = decodeTreeChanges(data);
  return Array.from({ length: width }, (_, index) => nodes.get(index as NodeIndex));
}
