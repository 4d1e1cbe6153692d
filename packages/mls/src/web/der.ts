import { concatBytes } from "../bytes.ts";

const SEQUENCE = 0x30;
const INTEGER = 0x02;
/** Says that the one byte behind it is a length above 127. */
const LENGTH_IN_NEXT_BYTE = 0x81;

/** An ECDSA signature r ‖ s as the DER that MLS carries (ECDSA-Sig-Value of RFC 8422 §5.4). */
export function derFromRaw(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const content = concatBytes(derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half)));
  const length = content.length < 0x80 ? [content.length] : [LENGTH_IN_NEXT_BYTE, content.length];
  return concatBytes(Uint8Array.of(SEQUENCE, ...length), content);
}

function derInteger(scalar: Uint8Array): Uint8Array {
  let start = 0;
  while (start < scalar.length - 1 && scalar[start] === 0) start++;
  const digits = scalar.subarray(start);
  // A first bit of one would make the number negative.
  const value = (digits[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), digits) : digits;
  return concatBytes(Uint8Array.of(INTEGER, value.length), value);
}

/**
 * The signature r ‖ s, each of `scalarLength` bytes; undefined for everything that is not the one DER encoding of two
 * non-negative integers of at most that length: negative, padded, longer lengths than needed, bytes behind the end.
 */
export function rawFromDer(der: Uint8Array, scalarLength: number): Uint8Array | undefined {
  const content = sequenceContent(der);
  const r = content && leadingInteger(content, scalarLength);
  const s = r && leadingInteger(r.rest, scalarLength);
  if (r === undefined || s?.rest.length !== 0) return undefined;
  const raw = new Uint8Array(2 * scalarLength);
  raw.set(r.digits, scalarLength - r.digits.length);
  raw.set(s.digits, 2 * scalarLength - s.digits.length);
  return raw;
}

function sequenceContent(der: Uint8Array): Uint8Array | undefined {
  const isLong = der[1] === LENGTH_IN_NEXT_BYTE;
  const length = der[isLong ? 2 : 1] ?? 0;
  const content = der.subarray(isLong ? 3 : 2);
  const isWhole = der[0] === SEQUENCE && isLong === length >= 0x80 && content.length === length;
  return isWhole ? content : undefined;
}

function leadingInteger(bytes: Uint8Array, maxLength: number): { digits: Uint8Array; rest: Uint8Array } | undefined {
  const length = bytes[1] ?? 0;
  const value = bytes.subarray(2, 2 + length);
  const [first, second] = value;
  if (bytes[0] !== INTEGER || length >= 0x80 || value.length !== length || first === undefined) return undefined;
  const isNegative = first >= 0x80;
  const isPadded = first === 0 && second !== undefined && second < 0x80;
  const digits = first === 0 ? value.subarray(1) : value;
  if (isNegative || isPadded || digits.length > maxLength) return undefined;
  return { digits, rest: bytes.subarray(2 + length) };
}
