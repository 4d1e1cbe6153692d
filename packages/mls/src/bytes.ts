import { DecodeError } from "./errors.ts";

const encoder = new TextEncoder();

/** The UTF-8 bytes of a string. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes, a byte order mark included; throws DecodeError for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new DecodeError("the bytes are not UTF-8", { cause });
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hex of the bytes, two digits each. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte] ?? "";
  return text;
}

/** The bytes of a hex string; throws DecodeError when it is not an even number of hex digits. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new DecodeError("expected an even number of hex digits");
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** True when both have the same length and content; stops at the first difference, so not for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return compareBytes(a, b) === 0;
}

/** Lexicographic order: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Compares tags without a data-dependent branch. The length is public and checked first: a truncated or
 * over-long tag is never equal (GHSA-8x3w-qj7j-gqhf).
 */
export function constantTimeEqual(expected: Uint8Array, received: Uint8Array): boolean {
  if (expected.length !== received.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) difference |= (expected[i] ?? 0) ^ (received[i] ?? 0);
  return difference === 0;
}

/** One array holding all parts in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Arguments one call takes without a stack overflow, with a wide margin. */
const CHARS_AT_ONCE = 4096;

function charsOf(bytes: Uint8Array): string {
  // Five times faster than spreading: engines take the elements of a typed array as they are.
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** A string that is equal exactly when the bytes are: one char per byte, cheaper than hex as a map key. */
export function bytesKey(bytes: Uint8Array): string {
  if (bytes.length <= CHARS_AT_ONCE) return charsOf(bytes);
  let key = "";
  for (let i = 0; i < bytes.length; i += CHARS_AT_ONCE) key += charsOf(bytes.subarray(i, i + CHARS_AT_ONCE));
  return key;
}
