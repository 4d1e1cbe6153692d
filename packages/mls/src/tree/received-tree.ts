import type { CipherSuite } from "../crypto/provider.ts";
import { isLeaf, nodeWidth, parent, root, type NodeIndex } from "./math.ts";
import { decodeTreeChanges, type TreeNode } from "./node.ts";
import { leafCountFor, RatchetTree } from "./ratchet-tree.ts";
import { TreeDraft } from "./tree-draft.ts";

/** A tree as it was received, with its parts that are still to be verified. */
export interface ReceivedTree {
  readonly tree: RatchetTree;
  /** Nodes that a verified tree does not have at the same index, decoded. */
  readonly nodes: ReadonlyMap<NodeIndex, TreeNode>;
  /** Parents in whose subtree anything differs from a verified tree; blank ones too. */
  readonly parents: readonly NodeIndex[];
}

/**
 * Reads a `ratchet_tree` extension, beside a verified tree of the same group if there is one; throws DecodeError. One
 * pass over the bytes, and O(log n) for each node that differs.
 */
export function receiveTree(suite: CipherSuite, data: Uint8Array, known: RatchetTree | undefined): ReceivedTree {
  const { width, nodes: changes } = decodeTreeChanges(data, known?.nodes());
  const leafCount = leafCountFor(width);
  const nodes = new Map<NodeIndex, TreeNode>();
  for (const [index, node] of changes) if (node !== undefined) nodes.set(index, node);
  const tree = known?.leafCount === leafCount ? changed(known, changes) : built(suite, leafCount, known, changes);
  return { tree, nodes, parents: parentsAbove(changes.keys(), leafCount) };
}

/** A tree as wide as the known one: its copy with the changes upon it, hashes and indices included. */
function changed(known: RatchetTree, changes: ReadonlyMap<NodeIndex, TreeNode | undefined>): RatchetTree {
  const draft = new TreeDraft(known);
  for (const [index, node] of changes) draft.setNode(index, node);
  const tree = known.clone();
  tree.merge(draft);
  return tree;
}

/** A tree of another width, or the first of its group; hashes are computed when they are asked for. */
function built(
  suite: CipherSuite,
  leafCount: number,
  known: RatchetTree | undefined,
  changes: ReadonlyMap<NodeIndex, TreeNode | undefined>,
): RatchetTree {
  const nodes = Array.from({ length: nodeWidth(leafCount) }, (_, at) => {
    const index = at as NodeIndex;
    return changes.has(index) ? changes.get(index) : known?.node(index);
  });
  return new RatchetTree(suite, nodes, leafCount);
}

/** The parents among the nodes and above them, each once. */
function parentsAbove(nodes: Iterable<NodeIndex>, leafCount: number): NodeIndex[] {
  const found = new Set<NodeIndex>();
  const [top, width] = [root(leafCount), nodeWidth(leafCount)];
  for (const node of nodes) {
    for (let at = node; at < width && !found.has(at); at = parent(at)) {
      found.add(at);
      if (at === top) break;
    }
  }
  return [...found].filter((index) => !isLeaf(index));
}
