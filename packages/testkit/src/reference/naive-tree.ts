import { createHash } from "node:crypto";
import type { LeafNode } from "@latchkey/mls";

/**
 * A ratchet tree written from RFC 9420 §4, §7 and nothing else: linked nodes, nothing cached, everything computed anew
 * each time it is asked for. Slow on purpose; what the engine's tree is compared with. SHA-256 only.
 */
export interface NaiveLeaf {
  readonly index: number;
  readonly leaf: LeafNode | undefined;
}

export interface NaiveParent {
  readonly content:
    { readonly key: Uint8Array; readonly parentHash: Uint8Array; readonly unmerged: readonly number[] } | undefined;
  readonly left: NaiveNode;
  readonly right: NaiveNode;
}

export type NaiveNode = NaiveLeaf | NaiveParent;

// The presentation language (§2.1, §2.1.2).

const u8 = (value: number) => Buffer.from([value]);

function bigEndian(value: bigint, bytes: number): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex");
}

const u16 = (value: number) => bigEndian(BigInt(value), 2);
const u32 = (value: number) => bigEndian(BigInt(value), 4);
const u64 = (value: bigint) => bigEndian(value, 8);

function opaque(...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const header = length < 64 ? u8(length) : length < 16384 ? u16(0x4000 + length) : u32(0x80000000 + length);
  return Buffer.concat([header, body]);
}

const optional = (bytes: Uint8Array | undefined) => (bytes === undefined ? u8(0) : Buffer.concat([u8(1), bytes]));
const hash = (...parts: readonly Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest();

/** LeafNode (§7.2) with a basic credential (§5.3). */
function encodeLeaf(leaf: LeafNode): Buffer {
  const { capabilities, credential, source } = leaf;
  if (credential.kind !== "basic") throw new Error("the naive tree knows basic credentials only");
  const lists = [
    capabilities.versions,
    capabilities.cipherSuites,
    capabilities.extensions,
    capabilities.proposals,
    capabilities.credentials,
  ];
  const sources = {
    key_package: () => {
      if (source.kind !== "key_package") return [];
      return [u8(1), u64(source.lifetime.notBefore), u64(source.lifetime.notAfter)];
    },
    update: () => [u8(2)],
    commit: () => (source.kind === "commit" ? [u8(3), opaque(source.parentHash)] : []),
  };
  return Buffer.concat([
    opaque(leaf.encryptionKey),
    opaque(leaf.signatureKey),
    u16(1),
    opaque(credential.identity),
    ...lists.map((list) => opaque(...list.map(u16))),
    ...sources[source.kind](),
    opaque(...leaf.extensions.map(({ type, data }) => Buffer.concat([u16(type), opaque(data)]))),
    opaque(leaf.signature),
  ]);
}

/** ParentNode (§7.1). */
function encodeParent({ key, parentHash, unmerged }: NonNullable<NaiveParent["content"]>): Buffer {
  return Buffer.concat([opaque(key), opaque(parentHash), opaque(...unmerged.map(u32))]);
}

// The shape of the tree (§4.1).

export const isLeafNode = (node: NaiveNode): node is NaiveLeaf => "index" in node;

export function leavesBelow(node: NaiveNode): NaiveLeaf[] {
  return isLeafNode(node) ? [node] : [...leavesBelow(node.left), ...leavesBelow(node.right)];
}

/** All nodes in the order of the array of Appendix C: left subtree, node, right subtree. */
export function inOrder(node: NaiveNode): NaiveNode[] {
  return isLeafNode(node) ? [node] : [...inOrder(node.left), node, ...inOrder(node.right)];
}

export const isBlank = (node: NaiveNode) => (isLeafNode(node) ? node.leaf : node.content) === undefined;

export const membersOf = (tree: NaiveNode) =>
  leavesBelow(tree).flatMap(({ index, leaf }) => (leaf === undefined ? [] : [index]));

function isAbove(node: NaiveNode, leaf: number): boolean {
  return leavesBelow(node).some(({ index }) => index === leaf);
}

/** The nodes from the root down to a leaf, the leaf left out. */
function pathDown(tree: NaiveNode, leaf: number): NaiveParent[] {
  if (isLeafNode(tree)) return [];
  return [tree, ...pathDown(isAbove(tree.left, leaf) ? tree.left : tree.right, leaf)];
}

/** Resolution (§4.1.1). */
export function resolution(tree: NaiveNode, node: NaiveNode): NaiveNode[] {
  if (isLeafNode(node)) return node.leaf === undefined ? [] : [node];
  if (node.content === undefined) return [...resolution(tree, node.left), ...resolution(tree, node.right)];
  const { unmerged } = node.content;
  return [node, ...leavesBelow(tree).filter(({ index }) => unmerged.includes(index))];
}

/** Filtered direct path (§4.1.2), lowest node first. */
export function filteredDirectPath(tree: NaiveNode, leaf: number): NaiveParent[] {
  return pathDown(tree, leaf)
    .reverse()
    .filter((node) => resolution(tree, isAbove(node.left, leaf) ? node.right : node.left).length > 0);
}

/** Tree hash (§7.8). */
export function treeHash(node: NaiveNode): Buffer {
  if (isLeafNode(node)) {
    return hash(u8(1), u32(node.index), optional(node.leaf === undefined ? undefined : encodeLeaf(node.leaf)));
  }
  const parent = node.content === undefined ? undefined : encodeParent(node.content);
  return hash(u8(2), optional(parent), opaque(treeHash(node.left)), opaque(treeHash(node.right)));
}

/** The data of a `ratchet_tree` extension (§12.4.3.3). */
export function encodeTree(tree: NaiveNode): Buffer {
  const nodes = inOrder(tree);
  while (nodes.length > 0 && isBlank(nodes.at(-1) ?? tree)) nodes.pop();
  const encoded = nodes.map((node) => {
    if (isLeafNode(node)) return node.leaf === undefined ? u8(0) : Buffer.concat([u8(1), u8(1), encodeLeaf(node.leaf)]);
    return node.content === undefined ? u8(0) : Buffer.concat([u8(1), u8(2), encodeParent(node.content)]);
  });
  return opaque(...encoded);
}

// Changes (§7.5, §7.7, §12.1.1 to §12.1.3). Each gives a new tree.

/** The tree with other contents at the leaf and at the nodes above it. */
function rewrite(
  node: NaiveNode,
  leaf: number,
  atLeaf: (before: LeafNode | undefined) => LeafNode | undefined,
  above: (node: NaiveParent) => NaiveParent["content"],
): NaiveNode {
  if (!isAbove(node, leaf)) return node;
  if (isLeafNode(node)) return { index: leaf, leaf: atLeaf(node.leaf) };
  const [left, right] = [rewrite(node.left, leaf, atLeaf, above), rewrite(node.right, leaf, atLeaf, above)];
  return { content: above(node), left, right };
}

function blankTree(firstLeaf: number, leaves: number): NaiveNode {
  if (leaves === 1) return { index: firstLeaf, leaf: undefined };
  const half = leaves / 2;
  return { content: undefined, left: blankTree(firstLeaf, half), right: blankTree(firstLeaf + half, half) };
}

export function add(tree: NaiveNode, leafNode: LeafNode): NaiveNode {
  const leaves = leavesBelow(tree);
  const empty = leaves.find(({ leaf }) => leaf === undefined);
  if (empty === undefined) {
    return add({ content: undefined, left: tree, right: blankTree(leaves.length, leaves.length) }, leafNode);
  }
  return rewrite(
    tree,
    empty.index,
    () => leafNode,
    ({ content }) => {
      if (content === undefined) return undefined;
      return { ...content, unmerged: [...content.unmerged, empty.index].sort((a, b) => a - b) };
    },
  );
}

export function update(tree: NaiveNode, leaf: number, leafNode: LeafNode): NaiveNode {
  return rewrite(
    tree,
    leaf,
    () => leafNode,
    () => undefined,
  );
}

export function remove(tree: NaiveNode, leaf: number): NaiveNode {
  let smaller = rewrite(
    tree,
    leaf,
    () => undefined,
    () => undefined,
  );
  while (!isLeafNode(smaller) && membersOf(smaller.right).length === 0) smaller = smaller.left;
  return smaller;
}

/**
 * Puts an update path into the tree (§7.5): keys for the filtered direct path, lowest first, parent hashes from the root
 * down, and the leaf that `leafWith` makes of the last parent hash.
 */
export function applyPath(
  tree: NaiveNode,
  leaf: number,
  keys: readonly Uint8Array[],
  leafWith: (parentHash: Uint8Array) => LeafNode,
): NaiveNode {
  const filtered = filteredDirectPath(tree, leaf);
  const contents = new Map<NaiveParent, NonNullable<NaiveParent["content"]>>();
  let parentHash: Uint8Array = Buffer.alloc(0);
  for (const [level, node] of [...filtered.entries()].reverse()) {
    const key = keys[level];
    if (key === undefined) throw new Error("a key is missing");
    contents.set(node, { key, parentHash, unmerged: [] });
    const sibling = isAbove(node.left, leaf) ? node.right : node.left;
    parentHash = hash(opaque(key), opaque(parentHash), opaque(treeHash(sibling)));
  }
  return rewrite(
    tree,
    leaf,
    () => leafWith(parentHash),
    (node) => contents.get(node),
  );
}

// Validity of a received tree (§7.9.2, §12.4.3.1).

/** A subtree as it was before these leaves were added: blank, and in no list of unmerged leaves (§7.9). */
function without(node: NaiveNode, leaves: readonly number[]): NaiveNode {
  if (isLeafNode(node)) return leaves.includes(node.index) ? { ...node, leaf: undefined } : node;
  const unmerged = node.content?.unmerged.filter((leaf) => !leaves.includes(leaf)) ?? [];
  return {
    content: node.content === undefined ? undefined : { ...node.content, unmerged },
    left: without(node.left, leaves),
    right: without(node.right, leaves),
  };
}

const parentHashOf = (node: NaiveNode): Uint8Array | undefined => {
  if (!isLeafNode(node)) return node.content?.parentHash;
  return node.leaf?.source.kind === "commit" ? node.leaf.source.parentHash : undefined;
};

/** True when a node is parent-hash valid with respect to a node below it, the three conditions of §7.9.2. */
function isValidWithRespectTo(tree: NaiveNode, parent: NaiveParent, below: NaiveNode): boolean {
  const { content } = parent;
  if (content === undefined) return false;
  const onLeft = inOrder(parent.left).includes(below);
  const [child, sibling] = onLeft ? [parent.left, parent.right] : [parent.right, parent.left];
  const original = treeHash(without(sibling, content.unmerged));
  const expected = hash(opaque(content.key), opaque(content.parentHash), opaque(original));
  const stated = parentHashOf(below);
  const inResolution = resolution(tree, child);
  const rest = inResolution.filter((node) => node !== below);
  const unmergedBelow = content.unmerged.filter((leaf) => isAbove(child, leaf));
  return (
    stated !== undefined &&
    expected.equals(stated) &&
    inResolution.includes(below) &&
    rest.length === unmergedBelow.length &&
    rest.every((node) => isLeafNode(node) && unmergedBelow.includes(node.index))
  );
}

/** True when a node is chained to a leaf by parent hashes. */
function isChained(tree: NaiveNode, node: NaiveNode): boolean {
  if (isLeafNode(node)) return true;
  const below = [...inOrder(node.left), ...inOrder(node.right)].filter((other) => !isBlank(other));
  return below.some((other) => isValidWithRespectTo(tree, node, other) && isChained(tree, other));
}

function unmergedLeavesAreRight(parent: NaiveParent): boolean {
  const unmerged = parent.content?.unmerged ?? [];
  return unmerged.every((leaf, position) => {
    const found = leavesBelow(parent).find(({ index }) => index === leaf);
    const between = pathDown(parent, leaf).filter((node) => node !== parent && !isBlank(node));
    return (
      found?.leaf !== undefined &&
      between.every((node) => node.content?.unmerged.includes(leaf) === true) &&
      unmerged.slice(0, position).every((earlier) => earlier < leaf)
    );
  });
}

/** True when unmerged leaves are as they must be, the root has no parent hash, and every parent is chained to a leaf. */
export function isValidTree(tree: NaiveNode): boolean {
  if (!isLeafNode(tree) && (tree.content?.parentHash.length ?? 0) > 0) return false;
  return inOrder(tree).every((node) => {
    return isLeafNode(node) || isBlank(node) || (unmergedLeavesAreRight(node) && isChained(tree, node));
  });
}
