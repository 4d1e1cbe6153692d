import { bytesKey } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { isLeaf, nodeLeafIndex, nodeWidth, left, right, type LeafIndex, type NodeIndex } from "./math.ts";
import { encryptionKeyOf, type TreeNode } from "./node.ts";
import { capabilityKeys, TreeView } from "./tree-view.ts";
import type { TreeDraft } from "./tree-draft.ts";

/** Number of leaves a tree needs to hold `nodes` array entries: the next power of two. */
export function leafCountFor(nodes: number): number {
  let leafCount = 1;
  while (nodeWidth(leafCount) < nodes) leafCount *= 2;
  return leafCount;
}

/**
 * The stored ratchet tree: base arrays of nodes and subtree hashes with the indices that make every check O(1).
 *
 * It changes only through `merge`, which writes what a TreeDraft touched.
 */
export class RatchetTree extends TreeView {
  #leafCount: number;
  readonly #nodes: (TreeNode | undefined)[];
  readonly #hashes: (Uint8Array | undefined)[];
  readonly #occupied: number[];
  readonly #signatureKeys = new Map<string, LeafIndex>();
  readonly #encryptionKeys = new Map<string, NodeIndex>();
  readonly #capabilities = new Map<string, number>();

  /** `nodes` in array order; a tree that is not full is filled up with blanks. */
  constructor(suite: CipherSuite, nodes: readonly (TreeNode | undefined)[], leafCount = leafCountFor(nodes.length)) {
    super(suite);
    const width = nodeWidth(leafCount);
    this.#leafCount = leafCount;
    this.#nodes = Array.from({ length: width }, (_, index) => nodes[index]);
    this.#hashes = new Array<Uint8Array | undefined>(width).fill(undefined);
    this.#occupied = new Array<number>(width).fill(0);
    this.#nodes.forEach((node, index) => {
      if (node !== undefined) this.#index(index as NodeIndex, node);
    });
    this.#count(this.root);
  }

  override get leafCount(): number {
    return this.#leafCount;
  }

  override node(index: NodeIndex): TreeNode | undefined {
    return this.#nodes[index];
  }

  override occupied(index: NodeIndex): number {
    return this.#occupied[index] ?? 0;
  }

  override cachedHash(index: NodeIndex): Uint8Array | undefined {
    return this.#hashes[index];
  }

  override setCachedHash(index: NodeIndex, hash: Uint8Array): void {
    this.#hashes[index] = hash;
  }

  override leafOfSignatureKey(key: string): LeafIndex | undefined {
    return this.#signatureKeys.get(key);
  }

  override nodeOfEncryptionKey(key: string): NodeIndex | undefined {
    return this.#encryptionKeys.get(key);
  }

  override capabilityCount(key: string): number {
    return this.#capabilities.get(key) ?? 0;
  }

  /** Which keys stand twice in the tree, if any, told by the sizes of the indices. */
  duplicateKeys(): "encryption" | "signature" | undefined {
    let nodes = 0;
    for (const node of this.#nodes) if (node !== undefined) nodes++;
    if (this.#encryptionKeys.size !== nodes) return "encryption";
    return this.#signatureKeys.size === this.memberCount ? undefined : "signature";
  }

  /** A copy that shares nodes and hashes, which never change, O(n). */
  clone(): RatchetTree {
    const copy = new RatchetTree(this.suite, this.#nodes, this.#leafCount);
    this.#hashes.forEach((hash, index) => {
      if (hash !== undefined) copy.setCachedHash(index as NodeIndex, hash);
    });
    return copy;
  }

  /** Takes over what a draft over this tree changed, O(changes). */
  merge(draft: TreeDraft): void {
    const changes = draft.changes();
    this.#leafCount = draft.leafCount;
    const width = nodeWidth(this.#leafCount);
    // Old keys first: a key may move from one node to another within one commit.
    for (const index of changes.nodes.keys()) {
      const node = this.#nodes[index];
      if (node !== undefined) this.#unindex(node);
    }
    for (const list of [this.#nodes, this.#hashes, this.#occupied]) list.length = Math.min(list.length, width);
    while (this.#nodes.length < width) {
      this.#nodes.push(undefined);
      this.#hashes.push(undefined);
      this.#occupied.push(0);
    }
    for (const [index, node] of changes.nodes) {
      if (index >= width) continue;
      this.#nodes[index] = node;
      if (node !== undefined) this.#index(index, node);
    }
    for (const [index, hash] of changes.hashes) if (index < width) this.#hashes[index] = hash;
    for (const [index, count] of changes.occupied) if (index < width) this.#occupied[index] = count;
  }

  #index(index: NodeIndex, node: TreeNode): void {
    this.#encryptionKeys.set(bytesKey(encryptionKeyOf(node)), index);
    if (node.kind !== "leaf") return;
    this.#signatureKeys.set(bytesKey(node.leaf.signatureKey), nodeLeafIndex(index));
    for (const key of capabilityKeys(node.leaf)) this.#capabilities.set(key, this.capabilityCount(key) + 1);
  }

  #unindex(node: TreeNode): void {
    this.#encryptionKeys.delete(bytesKey(encryptionKeyOf(node)));
    if (node.kind !== "leaf") return;
    this.#signatureKeys.delete(bytesKey(node.leaf.signatureKey));
    for (const key of capabilityKeys(node.leaf)) {
      const count = this.capabilityCount(key) - 1;
      if (count > 0) this.#capabilities.set(key, count);
      else this.#capabilities.delete(key);
    }
  }

  #count(index: NodeIndex): number {
    const count = isLeaf(index)
      ? Number(this.#nodes[index] !== undefined)
      : this.#count(left(index)) + this.#count(right(index));
    this.#occupied[index] = count;
    return count;
  }
}
