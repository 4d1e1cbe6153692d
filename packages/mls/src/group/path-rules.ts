import { bytesKey, equalBytes } from "../bytes.ts";
import { ValidationError } from "../errors.ts";
import type { UpdatePath } from "../messages/commit.ts";
import type { Extension } from "../messages/extension.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import { checkLeafCapabilities, checkLeafKeysUnique, groupRequirements } from "../tree/leaf-rules.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { TreeDraft } from "../tree/tree-draft.ts";
import { applyPathKeys, checkPathCiphertexts } from "../tree/treekem.ts";

/** The rules for the leaf of an update path by itself (RFC 9420 §7.3, §12.4.2); its signature is checked elsewhere. */
export function checkPathLeaf(
  draft: TreeDraft,
  leaf: LeafNode,
  committer: LeafIndex,
  extensions: readonly Extension[],
): void {
  if (leaf.source.kind !== "commit") throw new ValidationError("leaf-source", "an update path brings a wrong leaf");
  const before = draft.leaf(committer);
  if (before !== undefined && equalBytes(before.encryptionKey, leaf.encryptionKey)) {
    throw new ValidationError("leaf-key-change", "an update path keeps the encryption key of its leaf");
  }
  checkLeafCapabilities(leaf, groupRequirements(extensions));
  checkLeafKeysUnique(draft, leaf, before === undefined ? undefined : committer);
}

/** Checks that no key of a path stands in the new tree already (RFC 9420 §12.4.2). */
function checkPathKeysUnique(draft: TreeDraft, leaf: LeafNode, keys: readonly Uint8Array[]): void {
  const seen = new Set([bytesKey(leaf.encryptionKey)]);
  for (const key of keys.map(bytesKey)) {
    if (seen.has(key) || draft.nodeOfEncryptionKey(key) !== undefined) {
      throw new ValidationError("unique-encryption-key", "an update path brings a key that the tree holds already");
    }
    seen.add(key);
  }
}

/**
 * Puts a received path into the draft: committer's leaf, keys and parent hashes, each compared with the statements of
 * the path (RFC 9420 §7.5, §12.4.2).
 */
export function applyReceivedPath(
  draft: TreeDraft,
  path: UpdatePath,
  committer: LeafIndex,
  extensions: readonly Extension[],
  added: ReadonlySet<LeafIndex>,
): void {
  const { leafNode } = path;
  checkPathLeaf(draft, leafNode, committer, extensions);
  const keys = path.nodes.map((node) => node.encryptionKey);
  draft.setLeaf(committer, leafNode);
  draft.blankDirectPath(committer);
  checkPathKeysUnique(draft, leafNode, keys);
  const parentHash = applyPathKeys(draft, committer, keys);
  if (leafNode.source.kind !== "commit" || !equalBytes(leafNode.source.parentHash, parentHash)) {
    throw new ValidationError("parent-hash", "the leaf of an update path states a wrong parent hash");
  }
  checkPathCiphertexts(draft, committer, path.nodes, added);
}
