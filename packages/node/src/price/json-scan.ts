import { invalidRequest, requireAtMost } from "../errors.ts";

/** Deepest nesting of objects and arrays; the requests of both services have at most 14 levels. */
const MAX_DEPTH = 32;

/** Longest run of decimal digits: 64-bit numbers have 20, and reading a number takes more than linear time. */
const MAX_DIGITS = 128;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Counts the values of a JSON text before it is parsed. Whether it is JSON at all is left to the parser.
 * @throws NodeError `REQUEST_TOO_LARGE` when there are more than `limit`, `REQUEST_INVALID` for nesting or numbers
 * beyond what requests have
 */
export function scanJson(bytes: Uint8Array, limit: number): void {
  let [values, depth, digits] = [1, 0, 0];
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x30 && byte <= 0x39) digits++;
    else if (byte !== BACKSLASH) digits = 0; // A digit may be escaped, as in \u0039.
    if (digits > MAX_DIGITS) throw invalidRequest(`the request has a number of more than ${MAX_DIGITS} digits`);
    if (byte === QUOTE) inString = !inString;
    else if (inString) {
      if (byte === BACKSLASH) at++; // What follows ends no string.
    } else if (byte === COMMA || byte === COLON) values++;
    else if (isOpening(byte)) {
      values++;
      if (++depth > MAX_DEPTH) throw invalidRequest(`the request is nested deeper than ${MAX_DEPTH} levels`);
    } else if (isClosing(byte)) depth--;
    if (values > limit) requireAtMost("the request", values, limit, "values");
  }
}

function isOpening(byte: number): boolean {
  return byte === 0x5b || byte === 0x7b;
}

function isClosing(byte: number): boolean {
  return byte === 0x5d || byte === 0x7d;
}
