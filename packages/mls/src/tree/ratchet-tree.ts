import { bytesKey } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { LeafIdentities, type IdentityOf } from "./leaf-identities.ts";
import { isLeaf, nodeLeafIndex, nodeWidth, left, right, type LeafIndex, type NodeIndex } from "./math.ts";
import { encryptionKeyOf, treeNodeAt, type TreeNode } from "./node.ts";
import { capabilityKeys, TreeView } from "./tree-view.ts";

/** Number of leaves a tree needs to hold `nodes` array entries: the next power of two. */
export function leafCountFor(nodes: number): number {
  let leafCount = 1;
  while (nodeWidth(leafCount) < nodes) leafCount *= 2;
  return leafCount;
}

/** What differs in a tree's next state, by node; undefined stands for a blank node and for a hash to be computed. */
export interface TreeChanges {
  readonly leafCount: number;
  readonly nodes: ReadonlyMap<NodeIndex, TreeNode | undefined>;
  readonly hashes: ReadonlyMap<NodeIndex, Uint8Array | undefined>;
  readonly occupied: ReadonlyMap<NodeIndex, number>;
}

/**
 * The stored ratchet tree: nodes in the bytes they came in, subtree hashes, and the indices that make every check O(1).
 *
 * A node is decoded whenever it is asked for, which takes a microsecond: decoded nodes would take three times the
 * memory of everything else. The tree changes only through `merge`. It writes the entries that a draft touched.
 */
export class RatchetTree extends TreeView {
  #leafCount: number;
  #encoded: (Uint8Array | undefined)[];
  /** Of every node side by side, since an array of its own would take eight times the memory of a hash. */
  #hashes: Uint8Array;
  /** 1 where `#hashes` is filled in. */
  #hashed: Uint8Array;
  #occupied: Uint32Array;
  #signatureKeys = new Map<string, LeafIndex>();
  #encryptionKeys = new Map<string, NodeIndex>();
  #capabilities = new Map<number, number>();
  /** Made when it is first asked for: most trees are looked at and dropped. */
  #identities: LeafIdentities | undefined;
  #decoded: ReadonlyMap<NodeIndex, TreeNode> | undefined;

  /** `nodes` in array order; a tree that is not full is filled up with blanks. */
  constructor(suite: CipherSuite, nodes: readonly (TreeNode | undefined)[], leafCount = leafCountFor(nodes.length)) {
    super(suite);
    const width = nodeWidth(leafCount);
    this.#leafCount = leafCount;
    this.#encoded = Array.from({ length: width }, (_, index) => nodes[index]?.bytes);
    this.#hashes = new Uint8Array(width * suite.hashLength);
    this.#hashed = new Uint8Array(width);
    this.#occupied = new Uint32Array(width);
    nodes.forEach((node, index) => {
      if (node !== undefined && index < width) this.#index(index as NodeIndex, node);
    });
    this.#count(this.root);
  }

  override get leafCount(): number {
    return this.#leafCount;
  }

  override encoded(index: NodeIndex): Uint8Array | undefined {
    return this.#encoded[index];
  }

  override node(index: NodeIndex): TreeNode | undefined {
    const decoded = this.#decoded?.get(index);
    if (decoded !== undefined) return decoded;
    const bytes = this.#encoded[index];
    return bytes === undefined ? undefined : treeNodeAt(index, bytes);
  }

  override occupied(index: NodeIndex): number {
    return this.#occupied[index] ?? 0;
  }

  override cachedHash(index: NodeIndex): Uint8Array | undefined {
    const { hashLength } = this.suite;
    return this.#hashed[index] === 1 ? this.#hashes.subarray(index * hashLength, (index + 1) * hashLength) : undefined;
  }

  override setCachedHash(index: NodeIndex, hash: Uint8Array): void {
    this.#hashes.set(hash, index * this.suite.hashLength);
    this.#hashed[index] = 1;
  }

  override leafOfSignatureKey(key: string): LeafIndex | undefined {
    return this.#signatureKeys.get(key);
  }

  override nodeOfEncryptionKey(key: string): NodeIndex | undefined {
    return this.#encryptionKeys.get(key);
  }

  override capabilityCount(key: number): number {
    return this.#capabilities.get(key) ?? 0;
  }

  /** Leaves of an identity in ascending order: O(members) when first called, O(1) from then on. */
  leavesOf(identity: string, identityOf: IdentityOf): readonly LeafIndex[] {
    if (this.#identities?.identityOf !== identityOf) {
      const identities = new LeafIdentities(identityOf);
      for (const { leafIndex, leafNode } of this.members()) identities.add(leafIndex, leafNode);
      this.#identities = identities;
    }
    return this.#identities.of(identity);
  }

  /** Runs `work` with nodes of this tree at hand as they were decoded, which each is needed a few times in. */
  withDecoded<T>(nodes: ReadonlyMap<NodeIndex, TreeNode>, work: () => T): T {
    this.#decoded = nodes;
    try {
      return work();
    } finally {
      this.#decoded = undefined;
    }
  }

  /** Which keys stand twice in the tree, if any, told by the sizes of the indices. */
  duplicateKeys(): "encryption" | "signature" | undefined {
    let nodes = 0;
    for (const bytes of this.#encoded) if (bytes !== undefined) nodes++;
    if (this.#encryptionKeys.size !== nodes) return "encryption";
    return this.#signatureKeys.size === this.memberCount ? undefined : "signature";
  }

  /** A copy that shares the bytes of the nodes, which never change, O(n). */
  clone(): RatchetTree {
    const copy = new RatchetTree(this.suite, []);
    copy.#leafCount = this.#leafCount;
    copy.#encoded = this.#encoded.slice();
    copy.#hashes = this.#hashes.slice();
    copy.#hashed = this.#hashed.slice();
    copy.#occupied = this.#occupied.slice();
    copy.#signatureKeys = new Map(this.#signatureKeys);
    copy.#encryptionKeys = new Map(this.#encryptionKeys);
    copy.#capabilities = new Map(this.#capabilities);
    return copy;
  }

  /** Takes over the changes of a draft over this tree, O(changes), and O(n) when the tree doubles or halves. */
  merge(draft: { changes(): TreeChanges }): void {
    const changes = draft.changes();
    // Old keys first: a key may move from one node to another within one commit.
    for (const index of changes.nodes.keys()) {
      const node = this.node(index);
      if (node !== undefined) this.#unindex(index, node);
    }
    this.#resize(changes.leafCount);
    const width = nodeWidth(this.#leafCount);
    for (const [index, node] of changes.nodes) {
      if (index >= width) continue;
      this.#encoded[index] = node?.bytes;
      if (node !== undefined) this.#index(index, node);
    }
    for (const [index, hash] of changes.hashes) {
      if (index >= width) continue;
      if (hash === undefined) this.#hashed[index] = 0;
      else this.setCachedHash(index, hash);
    }
    for (const [index, count] of changes.occupied) if (index < width) this.#occupied[index] = count;
  }

  #resize(leafCount: number): void {
    if (leafCount === this.#leafCount) return;
    this.#leafCount = leafCount;
    const width = nodeWidth(leafCount);
    const kept = Math.min(width, this.#encoded.length);
    this.#encoded = Array.from({ length: width }, (_, index) => this.#encoded[index]);
    const { hashLength } = this.suite;
    const [hashes, hashed, occupied] = [this.#hashes, this.#hashed, this.#occupied];
    this.#hashes = new Uint8Array(width * hashLength);
    this.#hashes.set(hashes.subarray(0, kept * hashLength));
    this.#hashed = new Uint8Array(width);
    this.#hashed.set(hashed.subarray(0, kept));
    this.#occupied = new Uint32Array(width);
    this.#occupied.set(occupied.subarray(0, kept));
  }

  #index(index: NodeIndex, node: TreeNode): void {
    this.#encryptionKeys.set(bytesKey(encryptionKeyOf(node)), index);
    if (node.kind !== "leaf") return;
    this.#signatureKeys.set(bytesKey(node.leaf.signatureKey), nodeLeafIndex(index));
    this.#identities?.add(nodeLeafIndex(index), node.leaf);
    for (const key of capabilityKeys(node.leaf)) this.#capabilities.set(key, this.capabilityCount(key) + 1);
  }

  #unindex(index: NodeIndex, node: TreeNode): void {
    this.#encryptionKeys.delete(bytesKey(encryptionKeyOf(node)));
    if (node.kind !== "leaf") return;
    this.#signatureKeys.delete(bytesKey(node.leaf.signatureKey));
    this.#identities?.remove(nodeLeafIndex(index), node.leaf);
    for (const key of capabilityKeys(node.leaf)) {
      const count = this.capabilityCount(key) - 1;
      if (count > 0) this.#capabilities.set(key, count);
      else this.#capabilities.delete(key);
    }
  }

  #count(index: NodeIndex): number {
    const count = isLeaf(index)
      ? Number(this.#encoded[index] !== undefined)
      : this.#count(left(index)) + this.#count(right(index));
    this.#occupied[index] = count;
    return count;
  }
}
