import { equalBytes } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import {
  isInSubtree,
  isLeaf,
  leafNodeIndex,
  left,
  nodeLeafIndex,
  right,
  type LeafIndex,
  type NodeIndex,
} from "./math.ts";
import { parentTreeNode, type ParentNode, type TreeNode } from "./node.ts";
import { leafHashInput, parentHashInput, parentHashOverSibling } from "./hash-inputs.ts";
import type { TreeView } from "./tree-view.ts";

/** Parent hash of a parent node over one of its children's siblings (RFC 9420 §7.9). */
export function parentHash(
  suite: CipherSuite,
  parent: Pick<ParentNode, "encryptionKey" | "parentHash">,
  originalSiblingTreeHash: Uint8Array,
): Uint8Array {
  return suite.hash(parentHashOverSibling(parent, originalSiblingTreeHash));
}

const NO_LEAVES: ReadonlySet<LeafIndex> = new Set();

/** Tree hash of a subtree as it was before `excluded` leaves were added (RFC 9420 §7.9). */
function originalTreeHash(tree: TreeView, index: NodeIndex, excluded: ReadonlySet<LeafIndex>): Uint8Array {
  if (excluded.size === 0) return tree.hash(index);
  const below = new Set([...excluded].filter((leaf) => isInSubtree(leafNodeIndex(leaf), index)));
  if (below.size === 0) return tree.hash(index);
  if (isLeaf(index)) return tree.suite.hash(leafHashInput(nodeLeafIndex(index), undefined));
  const node = tree.node(index);
  let bytes = node?.bytes;
  if (node?.kind === "parent") {
    const unmergedLeaves = node.parent.unmergedLeaves.filter((leaf) => !below.has(leaf));
    bytes = parentTreeNode({ ...node.parent, unmergedLeaves }).bytes;
  }
  const leftHash = originalTreeHash(tree, left(index), below);
  const rightHash = originalTreeHash(tree, right(index), below);
  return tree.suite.hash(parentHashInput(bytes, leftHash, rightHash));
}

function parentHashOf(node: TreeNode): Uint8Array | undefined {
  if (node.kind === "parent") return node.parent.parentHash;
  return node.leaf.source.kind === "commit" ? node.leaf.source.parentHash : undefined;
}

/** True when a parent node can be chained to a node below `child` (RFC 9420 §7.9.2). */
function isValidThrough(tree: TreeView, parent: ParentNode, child: NodeIndex, otherChild: NodeIndex): boolean {
  const unmerged = parent.unmergedLeaves.length === 0 ? NO_LEAVES : new Set(parent.unmergedLeaves);
  const resolution = tree.resolution(child, unmerged);
  const [descendant] = resolution;
  if (descendant === undefined || resolution.length > 1) return false;
  const node = tree.node(descendant);
  const stated = node === undefined ? undefined : parentHashOf(node);
  if (stated === undefined) return false;
  const expected = parentHash(tree.suite, parent, originalTreeHash(tree, otherChild, unmerged));
  return equalBytes(stated, expected);
}

/** The parents, of those asked about, that are not blank and cannot be chained to a leaf (RFC 9420 §7.9.2). */
export function parentHashViolations(tree: TreeView, parents: Iterable<NodeIndex>): NodeIndex[] {
  const broken: NodeIndex[] = [];
  for (const index of parents) {
    const node = tree.node(index);
    if (node?.kind !== "parent") continue;
    const [a, b] = [left(index), right(index)];
    if (!isValidThrough(tree, node.parent, a, b) && !isValidThrough(tree, node.parent, b, a)) broken.push(index);
  }
  return broken;
}
