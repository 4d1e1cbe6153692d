import { equalBytes } from "../bytes.ts";
import type { SignatureCheck } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import type { GroupContext } from "../messages/group-context.ts";
import { leafNodeCheck, type LeafNode } from "../messages/leaf-node.ts";
import {
  checkAllSupport,
  checkCredentialSupport,
  checkLeafCapabilities,
  groupRequirements,
  NO_REQUIREMENTS,
} from "./leaf-rules.ts";
import { isInSubtree, leafNodeIndex, nodeLeafIndex, parent, type LeafIndex, type NodeIndex } from "./math.ts";
import { parentHashViolations } from "./parent-hash.ts";
import type { RatchetTree } from "./ratchet-tree.ts";
import type { ReceivedTree } from "./received-tree.ts";
import type { TreeView } from "./tree-view.ts";

/**
 * Unmerged leaves are ascending, not blank, below their node, and unmerged at every parent between (RFC 9420 §7.9.2,
 * §12.4.3.1). Each is looked up once at the next parent above it that is not blank, so a node costs its own leaves only.
 */
function checkUnmergedLeaves(tree: TreeView, parents: readonly NodeIndex[]): void {
  const unmergedAt = new Map<NodeIndex, ReadonlySet<LeafIndex> | undefined>();
  const unmerged = (index: NodeIndex): ReadonlySet<LeafIndex> | undefined => {
    if (unmergedAt.has(index)) return unmergedAt.get(index);
    const node = tree.node(index);
    const leaves = node?.kind === "parent" ? new Set(node.parent.unmergedLeaves) : undefined;
    unmergedAt.set(index, leaves);
    return leaves;
  };
  const refuse = (why: string): never => {
    throw new ValidationError("unmerged-leaves", why);
  };
  for (const index of parents) {
    let previous = -1;
    const listed = tree.node(index);
    for (const leaf of listed?.kind === "parent" ? listed.parent.unmergedLeaves : []) {
      if (leaf <= previous) refuse("unmerged leaves are not in ascending order");
      previous = leaf;
      const node = leafNodeIndex(leaf);
      if (!isInSubtree(node, index)) refuse(`unmerged leaf ${leaf} does not lie below its node`);
      if (tree.encoded(node) === undefined) refuse(`unmerged leaf ${leaf} is blank`);
      for (let below = parent(node); below !== index; below = parent(below)) {
        if (unmerged(below)?.has(leaf) === false) {
          refuse(`leaf ${leaf} is unmerged at a node but not at one below it`);
        }
      }
    }
  }
}

function checkKeysUnique(tree: RatchetTree): void {
  const kind = tree.duplicateKeys();
  if (kind === "encryption") {
    throw new ValidationError("unique-encryption-key", "two nodes of the tree have the same encryption key");
  }
  if (kind === "signature") {
    throw new ValidationError("unique-signature-key", "two members have the same signature key");
  }
}

/**
 * Everything about a received tree that needs no signature (RFC 9420 §12.4.3.1, §7.3, §7.9.2). Entries that a verified
 * tree has alike are not checked again, except by the counters and indices of the whole tree.
 */
export function checkTreeStructure({ tree, nodes, parents }: ReceivedTree, context: GroupContext): void {
  if (!equalBytes(tree.treeHash(), context.treeHash)) {
    throw new ValidationError("tree-hash", "the ratchet tree does not have the tree hash of its GroupContext");
  }
  checkKeysUnique(tree);
  const requirements = groupRequirements(context.extensions);
  // What the group demands of each leaf the counters tell of all.
  for (const node of nodes.values()) if (node.kind === "leaf") checkLeafCapabilities(node.leaf, NO_REQUIREMENTS);
  checkAllSupport(tree, requirements);
  checkCredentialSupport(tree);
  tree.withDecoded(nodes, () => {
    checkUnmergedLeaves(tree, parents);
    checkParentHashes(tree, parents);
  });
}

function checkParentHashes(tree: RatchetTree, parents: readonly NodeIndex[]): void {
  const top = tree.node(tree.root);
  if (top?.kind === "parent" && top.parent.parentHash.length > 0) {
    throw new ValidationError("parent-hash", "the root of the tree has a parent hash");
  }
  const broken = parentHashViolations(tree, parents);
  if (broken.length > 0) {
    throw new ValidationError("parent-hash", `parent hashes are wrong at ${broken.length} nodes of the tree`);
  }
}

/** Verifies the signatures of the leaves that a verified tree does not have alike, in one batch. */
export async function verifyLeafSignatures({ tree, nodes }: ReceivedTree, groupId: Uint8Array): Promise<void> {
  const checks: SignatureCheck[] = [];
  for (const [index, node] of nodes) {
    if (node.kind !== "leaf") continue;
    checks.push(leafNodeCheck(node.leaf, node.bytes, { groupId, leafIndex: nodeLeafIndex(index) }));
  }
  const results = await tree.suite.verifyBatch(checks);
  if (results.length !== checks.length || !results.every((valid) => valid)) {
    throw new ValidationError("leaf-signature", "a leaf of the tree has a wrong signature");
  }
}

/** The leaf of a member that signed something; throws ValidationError when it is blank. */
export function signerLeafAt(tree: TreeView, index: LeafIndex): LeafNode {
  const leaf = tree.leaf(index);
  if (leaf === undefined) throw new ValidationError("sender", `leaf ${index} is blank and cannot have signed`);
  return leaf;
}
