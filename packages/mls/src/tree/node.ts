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

/** A non-blank node beside its TLS encoding, so that hashing and exporting never encode again. */
export type TreeNode =
  | { readonly kind: "leaf"; readonly leaf: LeafNode; readonly bytes: Uint8Array }
  | { readonly kind: "parent"; readonly parent: ParentNode; readonly bytes: Uint8Array };

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
export function encodeTreeNode(writer: Writer, node: TreeNode): void {
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

/** Data of a `ratchet_tree` extension (RFC 9420 §12.4.3.3): the nodes up to the last one that is not blank. */
export function encodeRatchetTree(nodes: readonly (TreeNode | undefined)[]): Uint8Array {
  let end = nodes.length;
  while (end > 0 && nodes[end - 1] === undefined) end--;
  // The length comes first, so that the whole tree is written once: presence, type, and the bytes the node keeps.
  let length = end;
  for (let at = 0; at < end; at++) length += 1 + (nodes[at]?.bytes.length ?? -1);
  const writer = new Writer(length + varintLength(length));
  writer.varint(length);
  for (let at = 0; at < end; at++) writer.optional(nodes[at], encodeTreeNode);
  return writer.finish();
}

/**
 * Reads a `ratchet_tree` extension. Throws DecodeError when a node stands at an index of the other kind, when the last
 * node is blank, or when the list is empty or too long.
 */
export function decodeRatchetTree(data: Uint8Array): (TreeNode | undefined)[] {
  const nodes = decodeExact(data, (reader) =>
    reader.vector((inner) => inner.optional(decodeTreeNode), 2 * MLS_LIMITS.maxLeaves - 1),
  );
  if (nodes.length === 0) throw new DecodeError("the ratchet tree is empty");
  if (nodes.at(-1) === undefined) throw new DecodeError("the ratchet tree ends with a blank node");
  nodes.forEach((node, index) => {
    if (node !== undefined && (node.kind === "leaf") !== isLeaf(index as NodeIndex)) {
      throw new DecodeError(`node ${index} of the ratchet tree is of the wrong kind`);
    }
  });
  return nodes;
}
