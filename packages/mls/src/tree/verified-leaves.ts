import { bytesKey } from "../bytes.ts";
import { MLS_LIMITS } from "../limits.ts";

/**
 * Leaves whose signature was found good, by tree hash of the leaf in its group: a retry of a join, or a join from a
 * refreshed GroupInfo, verifies only leaves it has not seen. Never more than `MLS_LIMITS.maxVerifiedLeaves`.
 */
export class VerifiedLeafCache {
  readonly #known = new Set<string>();

  has(groupId: Uint8Array, leafHash: Uint8Array): boolean {
    return this.#known.has(keyOf(groupId, leafHash));
  }

  add(groupId: Uint8Array, leafHash: Uint8Array): void {
    if (this.#known.size < MLS_LIMITS.maxVerifiedLeaves) this.#known.add(keyOf(groupId, leafHash));
  }
}

/** The group id is part of what a leaf's signature covers, and the leaf's tree hash covers index, leaf and signature. */
function keyOf(groupId: Uint8Array, leafHash: Uint8Array): string {
  return `${bytesKey(leafHash)}${bytesKey(groupId)}`;
}
