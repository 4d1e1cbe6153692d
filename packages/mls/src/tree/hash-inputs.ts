import { Writer } from "../codec/writer.ts";
import type { LeafIndex } from "./math.ts";
import type { ParentNode } from "./node.ts";

/**
 * Inputs of the hashes over a tree. They are many and short-lived, so they share one buffer: each is valid until the next
 * one is made, which is after it was hashed.
 */
const scratch = new Writer(1024);

/** TreeHashInput of a leaf (RFC 9420 §7.8); `bytes` is the encoded LeafNode, undefined for a blank. */
export function leafHashInput(leaf: LeafIndex, bytes: Uint8Array | undefined): Uint8Array {
  scratch.reset();
  scratch.u8(1);
  scratch.u32(leaf);
  scratch.optional(bytes, writeBytes);
  return scratch.view();
}

/** TreeHashInput of a parent (RFC 9420 §7.8); `bytes` is the encoded ParentNode, undefined for a blank. */
export function parentHashInput(
  bytes: Uint8Array | undefined,
  leftHash: Uint8Array,
  rightHash: Uint8Array,
): Uint8Array {
  scratch.reset();
  scratch.u8(2);
  scratch.optional(bytes, writeBytes);
  scratch.opaque(leftHash);
  scratch.opaque(rightHash);
  return scratch.view();
}

/** ParentHashInput (RFC 9420 §7.9). */
export function parentHashOverSibling(
  parent: Pick<ParentNode, "encryptionKey" | "parentHash">,
  originalSiblingTreeHash: Uint8Array,
): Uint8Array {
  scratch.reset();
  scratch.opaque(parent.encryptionKey);
  scratch.opaque(parent.parentHash);
  scratch.opaque(originalSiblingTreeHash);
  return scratch.view();
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes(bytes);
}
