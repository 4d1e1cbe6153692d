import { randomBytes as randomBuffer } from "node:crypto";

/** A plain Uint8Array over the same memory, so that no caller depends on Buffer's own methods. */
export function view(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** Bytes of OpenSSL's generator. */
export function randomBytes(length: number): Uint8Array {
  return view(randomBuffer(length));
}
