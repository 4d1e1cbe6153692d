import { decodeInvitePayload, XMTP_LIMITS, type InvitePayload } from "@latchkey/xmtp";
import { LatchkeyError } from "@latchkey/mls";
import { BREAK, type CleanText } from "./clean-text.ts";

/** A payload in a text, and where it stands there: from the first character to behind the last. */
export interface PayloadInText {
  readonly payload: InvitePayload;
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly decimal: boolean;
  /** Whether what follows cannot belong to it. */
  readonly endsThere: boolean;
}

/** Something that begins as a payload does. */
export interface BrokenPayload {
  readonly from: number;
  /** Where it breaks off or goes wrong. */
  readonly to: number;
  /** Characters that are missing by the length that it states; 0 when as many are there. */
  readonly missing: number;
  /** Whether it is sound as far as it goes. */
  readonly sound: boolean;
}

/** What one walk over a text finds. `steps` is the work, for the test of its bound. */
export interface PayloadSearch {
  readonly found: PayloadInText[];
  readonly broken: BrokenPayload[];
  steps: number;
}

/** Sextets of a payload begin with this one, and one of the sixteen that follow: bytes 0x0a and the length. */
const FIRST_SEXTET = 2;
const FIRST_SECOND_SEXTET = 32;
const LAST_SECOND_SEXTET = 47;

const DIGIT_ZERO = 52;
const DIGIT_NINE = 61;
/** Digits of the smallest payload, of 44 bytes, and of the largest. */
const MIN_DIGITS = 100;
const MAX_DIGITS = Math.ceil(XMTP_LIMITS.maxInvitePayloadBytes * Math.log10(256));

/** Characters between two line breaks or spaces inside of a payload: mailers break lines, they do not tear off words. */
const MIN_PIECE = 12;

/** Finds every payload of a text, in base64url and as a decimal number, in one walk. */
export function findPayloads(text: CleanText): PayloadSearch {
  const search: PayloadSearch = { found: [], broken: [], steps: 0 };
  for (let at = 0; at < text.count;) {
    search.steps++;
    const digits = digitsFrom(text, at);
    search.steps += digits;
    if (digits >= MIN_DIGITS && digits <= MAX_DIGITS && takeDecimal(text, at, digits, search)) at += digits;
    else if (digits > 0) at += digits;
    else at += Math.max(1, takePayload(text, at, search));
  }
  return search;
}

/** Looks at one place; returns how many sextets a payload there has, 0 for none. */
function takePayload(text: CleanText, at: number, search: PayloadSearch): number {
  const second = text.sextets[at + 1] ?? BREAK;
  if (text.sextets[at] !== FIRST_SEXTET || second < FIRST_SECOND_SEXTET || second > LAST_SECOND_SEXTET) return 0;
  const probe = probePayload(text, at);
  search.steps += 16;
  if (probe === undefined) return 0;
  const from = text.sources[at] ?? 0;
  const { sound, sextets } = probe;
  const there = (text.ends[at] ?? 0) - at;
  const payload = sound && sextets <= there && isWhole(text, at, sextets) ? decode(text, at, probe.bytes) : undefined;
  if (payload === undefined) {
    const to = 1 + (text.sources[at + Math.min(sextets, there) - 1] ?? 0);
    if (search.broken.length < 64) search.broken.push({ from, to, missing: Math.max(0, sextets - there), sound });
    return 0;
  }
  search.steps += sextets;
  search.found.push(inText(text, at, sextets, payload, false));
  return sextets;
}

function inText(
  text: CleanText,
  at: number,
  sextets: number,
  { payload, bytes }: Pick<PayloadInText, "payload" | "bytes">,
  decimal: boolean,
): PayloadInText {
  const [from, to] = [text.sources[at] ?? 0, 1 + (text.sources[at + sextets - 1] ?? 0)];
  return { payload, bytes, from, to, decimal, endsThere: endsAt(text, at + sextets) };
}

/** Whether a break, white space or the end of the text stands here. */
function endsAt(text: CleanText, at: number): boolean {
  return at >= text.count || text.sextets[at] === BREAK || (text.gaps[at] ?? 0) > 0;
}

/** The byte of a payload that begins at a sextet. */
function byteAt({ sextets }: CleanText, start: number, index: number): number {
  const bit = 8 * index;
  const at = start + Math.floor(bit / 6);
  const pair = ((sextets[at] ?? 0) << 6) | (sextets[at + 1] ?? 0);
  return (pair >> (4 - (bit % 6))) & 0xff;
}

/** A length at a byte, of at most two bytes; and how many bytes it takes. */
function lengthAt(text: CleanText, start: number, index: number): [length: number, size: number] {
  const low = byteAt(text, start, index);
  return low < 0x80 ? [low, 1] : [(low & 0x7f) | (byteAt(text, start, index + 1) << 7), 2];
}

/**
 * Walks the fields of what may be a payload by their lengths, without reading it: a few steps, however long it is. Returns
 * its size; undefined when it does not begin as a payload does. `sound` is false where the fields contradict its length.
 */
function probePayload(text: CleanText, at: number) {
  const there = (text.ends[at] ?? 0) - at;
  const [length, size] = lengthAt(text, at, 1);
  const bytes = 1 + size + length;
  if (bytes > XMTP_LIMITS.maxInvitePayloadBytes || there < 8) return undefined;
  const sextets = Math.ceil((bytes * 8) / 6);
  const bytesThere = Math.floor((Math.min(there, sextets) * 6) / 8);
  let index = 1 + size;
  for (let fields = 0; fields < 8 && index < bytes; fields++) {
    if (index + 3 > bytesThere) return { bytes, sextets, sound: there < sextets };
    const tag = byteAt(text, at, index);
    if (fields === 0 && tag !== 0x0a && tag !== 0x12) return undefined;
    const [inner, innerSize] = lengthAt(text, at, index + 1);
    index += 1 + innerSize + inner;
    // The first field of a payload fits into it, or this is none.
    if (index > bytes && fields === 0) return undefined;
    if ((tag & 7) !== 2 || tag >> 3 === 0) return { bytes, sextets, sound: false };
  }
  return { bytes, sextets, sound: index === bytes };
}

/**
 * Whether the white space inside is that of broken lines: no piece between is short, and the last one ends where a word
 * ends. Else the words behind a link that was cut would pass for its end.
 */
function isWhole(text: CleanText, at: number, sextets: number): boolean {
  let piece = 0;
  let lastGap = 0;
  for (let index = at; index < at + sextets; index++) {
    const gap = text.gaps[index] ?? 0;
    if (index > at && gap > 0) {
      if (piece < MIN_PIECE) return false;
      piece = 0;
      lastGap = gap;
    }
    piece++;
  }
  // What is left for the last line may be short; behind a mere space it would be a word.
  if (lastGap === 1 && piece < MIN_PIECE) return false;
  return lastGap === 0 || endsAt(text, at + sextets);
}

/** The payload of so many bytes; undefined where it breaks a rule. */
function decode(text: CleanText, at: number, count: number): Pick<PayloadInText, "payload" | "bytes"> | undefined {
  const bytes = Uint8Array.from({ length: count }, (_, index) => byteAt(text, at, index));
  const spareBits = Math.ceil((count * 8) / 6) * 6 - count * 8;
  const lastSextet = text.sextets[at + Math.ceil((count * 8) / 6) - 1] ?? 0;
  if ((lastSextet & ((1 << spareBits) - 1)) !== 0) return undefined;
  return decoded(bytes);
}

function decoded(bytes: Uint8Array): Pick<PayloadInText, "payload" | "bytes"> | undefined {
  try {
    return { payload: decodeInvitePayload(bytes), bytes };
  } catch (error) {
    if (error instanceof LatchkeyError) return undefined;
    throw error;
  }
}

function digitsFrom({ sextets, ends }: CleanText, at: number): number {
  const end = ends[at] ?? at;
  let index = at;
  while (index < end && (sextets[index] ?? 0) >= DIGIT_ZERO && (sextets[index] ?? 0) <= DIGIT_NINE) index++;
  return index - at;
}

/** A payload as one decimal number, as a QR code holds it. */
function takeDecimal(text: CleanText, at: number, digits: number, search: PayloadSearch): boolean {
  if (!isWhole(text, at, digits)) return false;
  let decimal = "";
  for (let index = at; index < at + digits; index++) decimal += String((text.sextets[index] ?? 0) - DIGIT_ZERO);
  search.steps += digits;
  const hex = BigInt(decimal).toString(16);
  // The first byte is 0x0a, of which a number drops the zero.
  if (hex.length % 2 === 0 || !hex.startsWith("a")) return false;
  const even = `0${hex}`;
  const bytes = Uint8Array.from({ length: even.length / 2 }, (_, index) =>
    parseInt(even.slice(2 * index, 2 * index + 2), 16),
  );
  const payload = decoded(bytes);
  if (payload === undefined) return false;
  search.found.push(inText(text, at, digits, payload, true));
  return true;
}
