import { utf8 } from "../bytes.ts";
import { expandWithLabel } from "../crypto/labels.ts";
import type { CipherSuite } from "../crypto/provider.ts";
import { StateError, ValidationError } from "../errors.ts";
import type { ContentKind } from "../messages/framing.ts";
import type { MessageKey } from "../messages/private-message.ts";
import { isInSubtree, isLeaf, leafNodeIndex, left, right, root, type LeafIndex, type NodeIndex } from "../tree/math.ts";
import { takeKey, takeNextKey, type LeafRatchets, type Ratchet } from "./ratchet.ts";

/** Entries of a secret tree that an operation changes; null deletes a node's secret. */
export interface SecretTreeChange {
  readonly nodes: ReadonlyMap<NodeIndex, Uint8Array | null>;
  readonly ratchets: ReadonlyMap<LeafIndex, LeafRatchets>;
}

const LEFT = utf8("left");
const RIGHT = utf8("right");
const EMPTY = new Uint8Array(0);

/**
 * The secret tree of an epoch (RFC 9420 §9), sparse and lazy: it starts as one secret at the root, and only the nodes
 * on the way to a leaf that sends are ever derived. A secret is deleted as soon as its children exist.
 */
export class SecretTree {
  readonly leafCount: number;
  readonly #suite: CipherSuite;
  readonly #nodes = new Map<NodeIndex, Uint8Array>();
  readonly #ratchets = new Map<LeafIndex, LeafRatchets>();

  /** From the stored entries; a new epoch has only the encryption secret at its root. */
  constructor(
    suite: CipherSuite,
    leafCount: number,
    nodes: Iterable<readonly [NodeIndex, Uint8Array]>,
    ratchets: Iterable<readonly [LeafIndex, LeafRatchets]> = [],
  ) {
    this.#suite = suite;
    this.leafCount = leafCount;
    for (const [index, secret] of nodes) this.#nodes.set(index, secret);
    for (const [leaf, value] of ratchets) this.#ratchets.set(leaf, value);
  }

  static fromEncryptionSecret(suite: CipherSuite, leafCount: number, encryptionSecret: Uint8Array): SecretTree {
    return new SecretTree(suite, leafCount, [[root(leafCount), encryptionSecret]]);
  }

  /** Everything stored, for a snapshot. */
  entries(): SecretTreeChange {
    return { nodes: this.#nodes, ratchets: this.#ratchets };
  }

  /** Generation, key and change for the next message of the own leaf. */
  next(leaf: LeafIndex, kind: ContentKind): { generation: number; key: MessageKey; change: SecretTreeChange } {
    const { ratchets, nodes } = this.#open(leaf);
    const name = ratchetName(kind);
    const taken = takeNextKey(this.#suite, ratchets[name]);
    const change = changeOf(leaf, ratchets, name, taken.ratchet, nodes);
    return { generation: ratchets[name].generation, key: taken.key, change };
  }

  /**
   * Key and change for a received message, or undefined when its key was used or dropped already; throws
   * ValidationError `generation` for one too far ahead, or for a leaf outside of the tree.
   */
  take(
    leaf: LeafIndex,
    kind: ContentKind,
    generation: number,
  ): { key: MessageKey; change: SecretTreeChange } | undefined {
    if (leaf >= this.leafCount) throw new ValidationError("sender", `leaf ${leaf} lies outside of the tree`);
    const { ratchets, nodes } = this.#open(leaf);
    const name = ratchetName(kind);
    const taken = takeKey(this.#suite, ratchets[name], generation);
    if (taken === undefined) return undefined;
    return { key: taken.key, change: changeOf(leaf, ratchets, name, taken.ratchet, nodes) };
  }

  /** Takes over a change, after it was stored. */
  apply(change: SecretTreeChange): void {
    for (const [index, secret] of change.nodes) {
      if (secret === null) this.#nodes.delete(index);
      else this.#nodes.set(index, secret);
    }
    for (const [leaf, ratchets] of change.ratchets) this.#ratchets.set(leaf, ratchets);
  }

  #open(leaf: LeafIndex): { ratchets: LeafRatchets; nodes: Map<NodeIndex, Uint8Array | null> } {
    const nodes = new Map<NodeIndex, Uint8Array | null>();
    const known = this.#ratchets.get(leaf);
    if (known !== undefined) return { ratchets: known, nodes };
    const target = leafNodeIndex(leaf);
    let at = this.#lowestKnownAncestor(leaf);
    let secret = this.#nodes.get(at);
    if (secret === undefined) throw new StateError("the secrets of this leaf are gone from the secret tree");
    while (!isLeaf(at)) {
      nodes.set(at, null);
      const leftSecret = expandWithLabel(this.#suite, secret, "tree", LEFT, this.#suite.hashLength);
      const rightSecret = expandWithLabel(this.#suite, secret, "tree", RIGHT, this.#suite.hashLength);
      const goLeft = isInSubtree(target, left(at));
      nodes.set(goLeft ? right(at) : left(at), goLeft ? rightSecret : leftSecret);
      at = goLeft ? left(at) : right(at);
      secret = goLeft ? leftSecret : rightSecret;
    }
    nodes.set(at, null);
    const first = (label: string): Ratchet => ({
      generation: 0,
      secret: expandWithLabel(this.#suite, secret, label, EMPTY, this.#suite.hashLength),
      skipped: new Map(),
    });
    return { ratchets: { handshake: first("handshake"), application: first("application") }, nodes };
  }

  #lowestKnownAncestor(leaf: LeafIndex): NodeIndex {
    const target = leafNodeIndex(leaf);
    let at = root(this.leafCount);
    while (!this.#nodes.has(at) && !isLeaf(at)) at = isInSubtree(target, left(at)) ? left(at) : right(at);
    return at;
  }
}

function ratchetName(kind: ContentKind): keyof LeafRatchets {
  return kind === "application" ? "application" : "handshake";
}

function changeOf(
  leaf: LeafIndex,
  ratchets: LeafRatchets,
  name: keyof LeafRatchets,
  ratchet: Ratchet,
  nodes: ReadonlyMap<NodeIndex, Uint8Array | null>,
): SecretTreeChange {
  return { nodes, ratchets: new Map([[leaf, { ...ratchets, [name]: ratchet }]]) };
}
