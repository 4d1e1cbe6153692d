import { DecodeError, StateError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";

/** Index of a leaf among the leaves: 0, 1, 2, …. */
export type LeafIndex = number & { readonly __brand: "LeafIndex" };

/** Index of a node in the array form of RFC 9420 Appendix C: leaves are even, parents odd. */
export type NodeIndex = number & { readonly __brand: "NodeIndex" };

/**
 * Checks that a number read from the wire is a usable leaf index before it is used in any arithmetic: JavaScript's bit
 * operators are signed 32-bit (CVE-2026-17507). Throws DecodeError at `MLS_LIMITS.maxLeaves` and above.
 */
export function asLeafIndex(value: number): LeafIndex {
  if (!Number.isInteger(value) || value < 0 || value >= MLS_LIMITS.maxLeaves) {
    throw new DecodeError(`leaf index ${value} is out of range`);
  }
  return value as LeafIndex;
}

/** The node of a leaf. */
export function leafNodeIndex(leaf: LeafIndex): NodeIndex {
  return (leaf * 2) as NodeIndex;
}

/** The leaf of an even node index. */
export function nodeLeafIndex(node: NodeIndex): LeafIndex {
  return (node / 2) as LeafIndex;
}

export function isLeaf(node: NodeIndex): boolean {
  return (node & 1) === 0;
}

/** Height of a node above the leaves: the number of trailing one bits of its index. */
export function level(node: NodeIndex): number {
  return 31 - Math.clz32(~node & (node + 1));
}

/** Number of nodes of a tree with that many leaves (a power of two, at least 1). */
export function nodeWidth(leafCount: number): number {
  return 2 * leafCount - 1;
}

/** The root of a tree with that many leaves (a power of two, at least 1). */
export function root(leafCount: number): NodeIndex {
  return (leafCount - 1) as NodeIndex;
}

/** Left child of a parent node. */
export function left(node: NodeIndex): NodeIndex {
  return (node ^ (1 << (level(node) - 1))) as NodeIndex;
}

/** Right child of a parent node. */
export function right(node: NodeIndex): NodeIndex {
  return (node ^ (3 << (level(node) - 1))) as NodeIndex;
}

/** Parent of a node that is not the root. */
export function parent(node: NodeIndex): NodeIndex {
  const k = level(node);
  const bit = (node >> (k + 1)) & 1;
  return ((node | (1 << k)) ^ (bit << (k + 1))) as NodeIndex;
}

/** Sibling of a node that is not the root. */
export function sibling(node: NodeIndex): NodeIndex {
  const above = parent(node);
  return node < above ? right(above) : left(above);
}

/**
 * The ancestors of a node up to and including the root, lowest first (RFC 9420 §4.1.1).
 * Throws StateError for a node outside of the tree, from where no root is ever reached.
 */
export function directPath(node: NodeIndex, leafCount: number): NodeIndex[] {
  if (node >= nodeWidth(leafCount)) throw new StateError(`node ${node} lies outside of a tree of ${leafCount} leaves`);
  const path: NodeIndex[] = [];
  const top = root(leafCount);
  for (let at = node; at !== top;) {
    at = parent(at);
    path.push(at);
  }
  return path;
}

/** True when `node` lies in the subtree below `ancestor`, or is it. */
export function isInSubtree(node: NodeIndex, ancestor: NodeIndex): boolean {
  const reach = (1 << level(ancestor)) - 1;
  return node >= ancestor - reach && node <= ancestor + reach;
}

/** The first and one past the last leaf below a node. */
export function leafRange(node: NodeIndex): { start: LeafIndex; end: LeafIndex } {
  const reach = (1 << level(node)) - 1;
  return { start: ((node - reach) / 2) as LeafIndex, end: ((node + reach) / 2 + 1) as LeafIndex };
}

/** Lowest node that is an ancestor of both leaves (a leaf itself when they are the same). */
export function commonAncestor(a: LeafIndex, b: LeafIndex): NodeIndex {
  let x: NodeIndex = leafNodeIndex(a);
  const y = leafNodeIndex(b);
  while (!isInSubtree(y, x)) x = parent(x);
  return x;
}
