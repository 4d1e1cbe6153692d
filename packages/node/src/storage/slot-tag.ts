import { hash } from "node:crypto";

/** Hex digits of a tag: 128 bits, so that two states of a slot never share one by chance. */
const TAG_DIGITS = 32;

/** Names a list of blobs: a hash over the hashes of all of them, in their order. */
export function slotTag(contentHashes: readonly Uint8Array[]): string {
  return hash("sha256", Buffer.concat(contentHashes), "hex").slice(0, TAG_DIGITS);
}
