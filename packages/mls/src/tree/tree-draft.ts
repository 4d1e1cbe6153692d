import { bytesKey } from "../bytes.ts";
import { StateError, ValidationError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import {
  directPath,
  isLeaf,
  leafNodeIndex,
  nodeLeafIndex,
  nodeWidth,
  right,
  type LeafIndex,
  type NodeIndex,
} from "./math.ts";
import { encryptionKeyOf, leafTreeNode, parentTreeNode, type TreeNode } from "./node.ts";
import { capabilityKeys, TreeView } from "./tree-view.ts";
import type { RatchetTree, TreeChanges } from "./ratchet-tree.ts";

/**
 * A tentative next tree: an overlay of the touched entries over a RatchetTree.
 *
 * Making one is free, dropping it is free, and merging writes only the touched entries. Every pending commit, staged
 * commit and speculative join is one.
 */
export class TreeDraft extends TreeView {
  readonly #base: RatchetTree;
  #leafCount: number;
  readonly #nodes = new Map<NodeIndex, TreeNode | undefined>();
  readonly #hashes = new Map<NodeIndex, Uint8Array | undefined>();
  readonly #occupied = new Map<NodeIndex, number>();
  readonly #signatureKeys = new Map<string, LeafIndex | undefined>();
  readonly #encryptionKeys = new Map<string, NodeIndex | undefined>();
  readonly #capabilities = new Map<number, number>();

  constructor(base: RatchetTree) {
    super(base.suite);
    this.#base = base;
    this.#leafCount = base.leafCount;
  }

  override get leafCount(): number {
    return this.#leafCount;
  }

  override encoded(index: NodeIndex): Uint8Array | undefined {
    return this.#nodes.has(index) ? this.#nodes.get(index)?.bytes : this.#base.encoded(index);
  }

  override node(index: NodeIndex): TreeNode | undefined {
    return this.#nodes.has(index) ? this.#nodes.get(index) : this.#base.node(index);
  }

  override occupied(index: NodeIndex): number {
    return this.#occupied.get(index) ?? this.#base.occupied(index);
  }

  override cachedHash(index: NodeIndex): Uint8Array | undefined {
    return this.#hashes.has(index) ? this.#hashes.get(index) : this.#base.cachedHash(index);
  }

  override setCachedHash(index: NodeIndex, hash: Uint8Array): void {
    // What the draft has not touched is the base's own, and is worth keeping when the draft is dropped.
    if (this.#hashes.has(index) || index >= nodeWidth(this.#base.leafCount)) this.#hashes.set(index, hash);
    else this.#base.setCachedHash(index, hash);
  }

  override leafOfSignatureKey(key: string): LeafIndex | undefined {
    return this.#signatureKeys.has(key) ? this.#signatureKeys.get(key) : this.#base.leafOfSignatureKey(key);
  }

  override nodeOfEncryptionKey(key: string): NodeIndex | undefined {
    return this.#encryptionKeys.has(key) ? this.#encryptionKeys.get(key) : this.#base.nodeOfEncryptionKey(key);
  }

  override capabilityCount(key: number): number {
    return this.#base.capabilityCount(key) + (this.#capabilities.get(key) ?? 0);
  }

  /** What `RatchetTree.merge` writes. */
  changes(): TreeChanges {
    const [leafCount, nodes, hashes, occupied] = [this.#leafCount, this.#nodes, this.#hashes, this.#occupied];
    return { leafCount, nodes, hashes, occupied };
  }

  /** Puts a leaf into the leftmost blank place, growing the tree when there is none (RFC 9420 §7.7). */
  addLeaf(leaf: LeafNode): LeafIndex {
    const index = this.reserveLeaf();
    this.setLeaf(index, leaf);
    for (const above of directPath(leafNodeIndex(index), this.#leafCount)) {
      const node = this.node(above);
      if (node?.kind !== "parent") continue;
      const unmergedLeaves = [...node.parent.unmergedLeaves, index].sort((a, b) => a - b);
      this.setNode(above, parentTreeNode({ ...node.parent, unmergedLeaves }));
    }
    return index;
  }

  /** The leftmost blank place; the tree grows when there is none. */
  reserveLeaf(): LeafIndex {
    return this.leftmostBlank() ?? this.#grow();
  }

  /** Replaces a leaf and leaves its ancestors as they are: what an update path does before it fills them. */
  setLeaf(index: LeafIndex, leaf: LeafNode): void {
    this.setNode(leafNodeIndex(index), leafTreeNode(leaf));
  }

  /** Replaces a leaf and blanks its ancestors: an Update proposal (RFC 9420 §12.1.2). */
  updateLeaf(index: LeafIndex, leaf: LeafNode): void {
    this.setLeaf(index, leaf);
    this.blankDirectPath(index);
  }

  /** Blanks a leaf and its ancestors: a Remove proposal (RFC 9420 §12.1.3). Call `truncate` after the last one. */
  removeLeaf(index: LeafIndex): void {
    if (this.leaf(index) === undefined) throw new StateError(`leaf ${index} is blank and cannot be removed`);
    this.setNode(leafNodeIndex(index), undefined);
    this.blankDirectPath(index);
  }

  blankDirectPath(index: LeafIndex): void {
    for (const above of directPath(leafNodeIndex(index), this.#leafCount)) this.setNode(above, undefined);
  }

  /**
   * Halves the tree while its right half is empty (RFC 9420 §7.7). The part that is cut off is blank since its leaves
   * were removed. It still is when the tree grows again.
   */
  truncate(): void {
    while (this.#leafCount > 1 && this.occupied(right(this.root)) === 0) this.#leafCount /= 2;
  }

  setNode(index: NodeIndex, node: TreeNode | undefined): void {
    const before = this.node(index);
    if (before === undefined && node === undefined) return;
    if (before !== undefined) this.#unindex(index, before);
    this.#nodes.set(index, node);
    if (node !== undefined) this.#index(index, node);
    const change = isLeaf(index) ? Number(node !== undefined) - Number(before !== undefined) : 0;
    for (const at of [index, ...directPath(index, this.#leafCount)]) {
      this.#hashes.set(at, undefined);
      if (change !== 0) this.#occupied.set(at, this.occupied(at) + change);
    }
  }

  #grow(): LeafIndex {
    const first = this.#leafCount as LeafIndex;
    if (first * 2 > MLS_LIMITS.maxLeaves) {
      throw new ValidationError("tree-size", `the tree would have more than ${MLS_LIMITS.maxLeaves} leaves`);
    }
    const occupied = this.memberCount;
    this.#leafCount *= 2;
    this.#hashes.set(this.root, undefined);
    this.#occupied.set(this.root, occupied);
    return first;
  }

  #index(index: NodeIndex, node: TreeNode): void {
    this.#encryptionKeys.set(bytesKey(encryptionKeyOf(node)), index);
    if (node.kind !== "leaf") return;
    this.#signatureKeys.set(bytesKey(node.leaf.signatureKey), nodeLeafIndex(index));
    this.#adjust(node.leaf, 1);
  }

  #unindex(index: NodeIndex, node: TreeNode): void {
    const encryptionKey = bytesKey(encryptionKeyOf(node));
    if (this.nodeOfEncryptionKey(encryptionKey) === index) this.#encryptionKeys.set(encryptionKey, undefined);
    if (node.kind !== "leaf") return;
    const signatureKey = bytesKey(node.leaf.signatureKey);
    if (this.leafOfSignatureKey(signatureKey) === nodeLeafIndex(index)) {
      this.#signatureKeys.set(signatureKey, undefined);
    }
    this.#adjust(node.leaf, -1);
  }

  #adjust(leaf: LeafNode, by: 1 | -1): void {
    for (const key of capabilityKeys(leaf)) this.#capabilities.set(key, (this.#capabilities.get(key) ?? 0) + by);
  }
}
