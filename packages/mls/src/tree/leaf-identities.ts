import type { LeafNode } from "../messages/leaf-node.ts";
import type { LeafIndex } from "./math.ts";

/** Whose a leaf is, as the application reads its credential (RFC 9420 §5.3.1); undefined when it names nobody. */
export type IdentityOf = (leaf: LeafNode) => string | undefined;

const NONE: readonly LeafIndex[] = [];

/** Which leaves belong to whom: several, where somebody has several devices. */
export class LeafIdentities {
  readonly identityOf: IdentityOf;
  readonly #leaves = new Map<string, readonly LeafIndex[]>();

  constructor(identityOf: IdentityOf) {
    this.identityOf = identityOf;
  }

  /** Leaves of an identity in ascending order, O(1). */
  of(identity: string): readonly LeafIndex[] {
    return this.#leaves.get(identity) ?? NONE;
  }

  add(leafIndex: LeafIndex, leaf: LeafNode): void {
    const identity = this.identityOf(leaf);
    if (identity === undefined) return;
    this.#leaves.set(
      identity,
      [...this.of(identity), leafIndex].sort((a, b) => a - b),
    );
  }

  remove(leafIndex: LeafIndex, leaf: LeafNode): void {
    const identity = this.identityOf(leaf);
    if (identity === undefined) return;
    const left = this.of(identity).filter((other) => other !== leafIndex);
    if (left.length > 0) this.#leaves.set(identity, left);
    else this.#leaves.delete(identity);
  }
}
