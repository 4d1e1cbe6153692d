import { equalBytes } from "../bytes.ts";
import type { SignatureCheck } from "../crypto/provider.ts";
import { ValidationError } from "../errors.ts";
import type { GroupContext } from "../messages/group-context.ts";
import { leafNodeCheck } from "../messages/leaf-node.ts";
import { checkCredentialSupport, checkLeafCapabilities, groupRequirements } from "./leaf-rules.ts";
import { isInSubtree, leafNodeIndex, nodeWidth, parent, type LeafIndex, type NodeIndex } from "./math.ts";
import { parentHashViolations } from "./parent-hash.ts";
import type { RatchetTree } from "./ratchet-tree.ts";
import type { TreeView } from "./tree-view.ts";
import type { VerifiedLeafCache } from "./verified-leaves.ts";

/**
 * Unmerged leaves are ascending, not blank, below their node, and unmerged at every parent between (RFC 9420 §7.9.2,
 * §12.4.3.1). Each is looked up once at the next parent above it that is not blank, so a node costs its own leaves only.
 */
function checkUnmergedLeaves(tree: TreeView): void {
  const unmergedAt = new Map<NodeIndex, ReadonlySet<LeafIndex>>();
  const refuse = (why: string): never => {
    throw new ValidationError("unmerged-leaves", why);
  };
  for (let at = 1; at < nodeWidth(tree.leafCount); at += 2) {
    const node = tree.node(at as NodeIndex);
    if (node?.kind === "parent") unmergedAt.set(at as NodeIndex, new Set(node.parent.unmergedLeaves));
  }
  for (const index of unmergedAt.keys()) {
    let previous = -1;
    const listed = tree.node(index);
    for (const leaf of listed?.kind === "parent" ? listed.parent.unmergedLeaves : []) {
      if (leaf <= previous) refuse("unmerged leaves are not in ascending order");
      previous = leaf;
      const node = leafNodeIndex(leaf);
      if (!isInSubtree(node, index)) refuse(`unmerged leaf ${leaf} does not lie below its node`);
      if (tree.leaf(leaf) === undefined) refuse(`unmerged leaf ${leaf} is blank`);
      for (let below = parent(node); below !== index; below = parent(below)) {
        if (unmergedAt.get(below)?.has(leaf) === false) {
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

/** Everything about a received tree that needs no signature (RFC 9420 §12.4.3.1, §7.3, §7.9.2). */
export function checkTreeStructure(tree: RatchetTree, context: GroupContext): void {
  if (!equalBytes(tree.treeHash(), context.treeHash)) {
    throw new ValidationError("tree-hash", "the ratchet tree does not have the tree hash of its GroupContext");
  }
  checkKeysUnique(tree);
  const requirements = groupRequirements(context.extensions);
  for (let at = 0; at < nodeWidth(tree.leafCount); at++) {
    const node = tree.node(at as NodeIndex);
    if (node?.kind === "leaf") checkLeafCapabilities(node.leaf, requirements);
  }
  checkCredentialSupport(tree);
  checkUnmergedLeaves(tree);
  const top = tree.node(tree.root);
  if (top?.kind === "parent" && top.parent.parentHash.length > 0) {
    throw new ValidationError("parent-hash", "the root of the tree has a parent hash");
  }
  const broken = parentHashViolations(tree);
  if (broken.length > 0) {
    throw new ValidationError("parent-hash", `parent hashes are wrong at ${broken.length} nodes of the tree`);
  }
}

/** Verifies the signatures of all leaves in one batch, except those the cache has seen. */
export async function verifyLeafSignatures(
  tree: RatchetTree,
  groupId: Uint8Array,
  cache: VerifiedLeafCache | undefined,
): Promise<void> {
  const checks: SignatureCheck[] = [];
  const pending: Uint8Array[] = [];
  for (const { leafIndex, leafNode } of tree.members()) {
    const node = tree.node(leafNodeIndex(leafIndex));
    const leafHash = tree.hash(leafNodeIndex(leafIndex));
    if (node === undefined || cache?.has(groupId, leafHash) === true) continue;
    checks.push(leafNodeCheck(leafNode, node.bytes, { groupId, leafIndex }));
    pending.push(leafHash);
  }
  const results = await tree.suite.verifyBatch(checks);
  if (results.length !== checks.length || !results.every((valid) => valid)) {
    throw new ValidationError("leaf-signature", "a leaf of the tree has a wrong signature");
  }
  for (const leafHash of pending) cache?.add(groupId, leafHash);
}

/** The signature key of the member at an index; throws ValidationError when the leaf is blank. */
export function signatureKeyAt(tree: TreeView, index: LeafIndex): Uint8Array {
  const leaf = tree.leaf(index);
  if (leaf === undefined) throw new ValidationError("sender", `leaf ${index} is blank and cannot have signed`);
  return leaf.signatureKey;
}
