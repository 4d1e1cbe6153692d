import { bytesKey } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { MLS_LIMITS } from "../limits.ts";
import type { RatchetTree } from "./ratchet-tree.ts";

/**
 * Trees in which everything was found good, one per group: joining again, or from a refreshed GroupInfo, decodes, hashes
 * and verifies only what differs from them. Never more than `MLS_LIMITS.maxVerifiedTrees`, the last used ones.
 *
 * Nothing is trusted for its origin or its place in a message. A verdict is used again only if its whole input is the
 * same byte for byte. The verdict on a leaf's signature depends on cipher suite, group id, leaf index and the leaf's
 * bytes. The hash of a subtree, and the verdict on its parent hashes and unmerged leaves, depend on cipher suite, node
 * indices and the bytes of all its nodes. Rules about the tree as a whole, and about the GroupInfo around it, are
 * checked every time.
 */
export class VerifiedTreeCache {
  readonly #trees = new Map<string, RatchetTree>();

  /** The tree to compare with. */
  find(suite: CipherSuite, groupId: Uint8Array): RatchetTree | undefined {
    return this.#trees.get(keyOf(suite, groupId));
  }

  /** Remembers a verified tree, which must not change any more. */
  keep(groupId: Uint8Array, tree: RatchetTree): void {
    const key = keyOf(tree.suite, groupId);
    // Map keeps insertion order, so deleting and setting again moves the entry to the young end.
    this.#trees.delete(key);
    this.#trees.set(key, tree);
    if (this.#trees.size <= MLS_LIMITS.maxVerifiedTrees) return;
    const oldest = this.#trees.keys().next();
    if (oldest.done !== true) this.#trees.delete(oldest.value);
  }
}

function keyOf(suite: CipherSuite, groupId: Uint8Array): string {
  return `${suite.id}:${bytesKey(groupId)}`;
}
