import { bytesKey } from "../bytes.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { CREDENTIAL_TYPE } from "../messages/credential.ts";
import type { LeafNode } from "../messages/leaf-node.ts";
import {
  directPath,
  isLeaf,
  leafNodeIndex,
  left,
  leafRange,
  nodeLeafIndex,
  nodeWidth,
  right,
  root,
  sibling,
  type LeafIndex,
  type NodeIndex,
} from "./math.ts";
import { leafHashInput, parentHashInput } from "./hash-inputs.ts";
import type { EncodedNode, TreeNode } from "./node.ts";

/** Counter of one capability type. */
const CAPABILITY_KINDS = ["used-credential", "extension", "proposal", "credential"] as const;

/** The counter of a 16-bit type that a leaf lists, or, for `used-credential`, is itself of. */
export function capabilityKey(kind: (typeof CAPABILITY_KINDS)[number], type: number): number {
  return CAPABILITY_KINDS.indexOf(kind) * 0x10000 + type;
}

/** The counters that a leaf adds to. */
export function capabilityKeys({ credential, capabilities }: LeafNode): Set<number> {
  const keys = new Set<number>([capabilityKey("used-credential", CREDENTIAL_TYPE[credential.kind])]);
  for (const type of capabilities.extensions) keys.add(capabilityKey("extension", type));
  for (const type of capabilities.proposals) keys.add(capabilityKey("proposal", type));
  for (const type of capabilities.credentials) keys.add(capabilityKey("credential", type));
  return keys;
}

/** Read access to a ratchet tree (RFC 9420 §7), the same for a stored tree and for a draft over it. */
export abstract class TreeView {
  readonly suite: CipherSuite;

  constructor(suite: CipherSuite) {
    this.suite = suite;
  }

  /** Leaves including blank ones; a power of two. */
  abstract readonly leafCount: number;
  /** The encoding of a node; undefined for a blank. */
  abstract encoded(index: NodeIndex): Uint8Array | undefined;
  /** The node, decoded at every call where it is stored; undefined for a blank. */
  abstract node(index: NodeIndex): TreeNode | undefined;
  /** Number of members below a node, O(1). */
  abstract occupied(index: NodeIndex): number;
  abstract cachedHash(index: NodeIndex): Uint8Array | undefined;
  abstract setCachedHash(index: NodeIndex, hash: Uint8Array): void;
  abstract leafOfSignatureKey(key: string): LeafIndex | undefined;
  abstract nodeOfEncryptionKey(key: string): NodeIndex | undefined;
  /** Number of members for which the `capabilityKey` holds. */
  abstract capabilityCount(key: number): number;

  get root(): NodeIndex {
    return root(this.leafCount);
  }

  get memberCount(): number {
    return this.occupied(this.root);
  }

  /** Whether every member, but for that leaf, lists a type in that list of its capabilities, O(1) (RFC 9420 §7.2). */
  isSupportedByAll(kind: (typeof CAPABILITY_KINDS)[number], type: number, except?: LeafIndex): boolean {
    const key = capabilityKey(kind, type);
    const exempt = except === undefined ? undefined : this.leaf(except);
    const isLacking = exempt !== undefined && !capabilityKeys(exempt).has(key);
    return this.capabilityCount(key) + (isLacking ? 1 : 0) === this.memberCount;
  }

  /** The leaf at an index, or undefined when it is blank or outside of the tree. */
  leaf(index: LeafIndex): LeafNode | undefined {
    if (index >= this.leafCount) return undefined;
    const node = this.node(leafNodeIndex(index));
    return node?.kind === "leaf" ? node.leaf : undefined;
  }

  /** The member with that signature key, O(1). */
  findBySignatureKey(signatureKey: Uint8Array): LeafIndex | undefined {
    return this.leafOfSignatureKey(bytesKey(signatureKey));
  }

  /** All members in the order of their leaves. */
  *members(): Generator<{ leafIndex: LeafIndex; leafNode: LeafNode }> {
    for (let index = 0; index < this.leafCount; index++) {
      const leafNode = this.leaf(index as LeafIndex);
      if (leafNode !== undefined) yield { leafIndex: index as LeafIndex, leafNode };
    }
  }

  /** All nodes in array order, for a `ratchet_tree` extension. */
  nodes(): (EncodedNode | undefined)[] {
    return Array.from({ length: nodeWidth(this.leafCount) }, (_, at) => {
      const bytes = this.encoded(at as NodeIndex);
      return bytes === undefined ? undefined : { kind: isLeaf(at as NodeIndex) ? "leaf" : "parent", bytes };
    });
  }

  /** Resolution of a node (RFC 9420 §4.1.1), without the leaves in `excluded`. */
  resolution(index: NodeIndex, excluded?: ReadonlySet<LeafIndex>): NodeIndex[] {
    const found: NodeIndex[] = [];
    this.#resolve(index, excluded, found);
    return found;
  }

  #resolve(index: NodeIndex, excluded: ReadonlySet<LeafIndex> | undefined, found: NodeIndex[]): void {
    if (this.occupied(index) === 0) return;
    const node = this.node(index);
    if (node === undefined) {
      if (isLeaf(index)) return;
      this.#resolve(left(index), excluded, found);
      this.#resolve(right(index), excluded, found);
    } else if (node.kind === "leaf") {
      if (excluded?.has(nodeLeafIndex(index)) !== true) found.push(index);
    } else {
      found.push(index);
      for (const leaf of node.parent.unmergedLeaves) {
        if (excluded?.has(leaf) !== true) found.push(leafNodeIndex(leaf));
      }
    }
  }

  /**
   * The filtered direct path of a leaf (RFC 9420 §4.1.2), lowest first, each with its child on the copath.
   * Nodes whose copath child has nobody below are left out.
   */
  filteredDirectPath(leaf: LeafIndex): { node: NodeIndex; copath: NodeIndex }[] {
    const path: { node: NodeIndex; copath: NodeIndex }[] = [];
    let below: NodeIndex = leafNodeIndex(leaf);
    for (const node of directPath(below, this.leafCount)) {
      const copath = sibling(below);
      if (this.occupied(copath) > 0) path.push({ node, copath });
      below = node;
    }
    return path;
  }

  /** The leftmost blank leaf, or undefined when every leaf is taken; O(log n). */
  leftmostBlank(): LeafIndex | undefined {
    let at = this.root;
    if (this.occupied(at) === this.leafCount) return undefined;
    while (!isLeaf(at)) {
      const { start, end } = leafRange(left(at));
      at = this.occupied(left(at)) < end - start ? left(at) : right(at);
    }
    return nodeLeafIndex(at);
  }

  /** Tree hash of the whole tree (RFC 9420 §7.8). */
  treeHash(): Uint8Array {
    return this.hash(this.root).slice();
  }

  /** Tree hash of a subtree, computed once and kept until something below changes; the bytes are valid until then. */
  hash(index: NodeIndex): Uint8Array {
    const cached = this.cachedHash(index);
    if (cached !== undefined) return cached;
    const hash = this.suite.hash(
      isLeaf(index)
        ? leafHashInput(nodeLeafIndex(index), this.encoded(index))
        : parentHashInput(this.encoded(index), this.hash(left(index)), this.hash(right(index))),
    );
    this.setCachedHash(index, hash);
    return hash;
  }
}
