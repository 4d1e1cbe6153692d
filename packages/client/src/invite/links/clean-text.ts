/** Marks a character that no payload contains. */
export const BREAK = 64;

/**
 * A text as a payload's finder sees it: the base64url characters as numbers from 0 to 63, without what programs put in
 * between, and one `BREAK` for everything else.
 */
export interface CleanText {
  readonly count: number;
  readonly sextets: Uint8Array;
  /** Where each one stands in the text. */
  readonly sources: Int32Array;
  /** 1 where white space was left out before it, 2 where lines were broken. */
  readonly gaps: Uint8Array;
  /** For each one: the place of the next `BREAK`, or `count`. */
  readonly ends: Int32Array;
}

/** How dashes and hyphens are read. */
export interface HyphenReading {
  /** Hyphens that a dash stands for: programs make one of two or three, and sometimes of one. */
  readonly en: number;
  readonly em: number;
  /** Whether a hyphen at the end of a line was put there when the line was broken. */
  readonly breaks: boolean;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SEXTETS = sextetTable();
const HYPHEN = ALPHABET.indexOf("-");
const UNDERSCORE_CODE = 0x5f;

function sextetTable(): Uint8Array {
  const table = new Uint8Array(128).fill(BREAK);
  for (let value = 0; value < BREAK; value++) table[ALPHABET.charCodeAt(value)] = value;
  return table;
}

const TAG_HALF = 0xdb40;

/** Characters that programs insert and that nobody sees: soft hyphen, zero-width and bidi marks, joiners, tags, BOM. */
function isInvisible(code: number): boolean {
  return (
    code === 0xad ||
    code === 0x61c ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x202a && code <= 0x202e) ||
    (code >= 0x2060 && code <= 0x206f) ||
    (code >= 0xfe00 && code <= 0xfe0f) ||
    code === 0xfeff ||
    code === 0x34f ||
    code === 0x180e ||
    // Marks of annotations and of an object that was left out.
    (code >= 0xfff9 && code <= 0xfffc) ||
    // The first half of invisible tags and of further variation selectors.
    code === TAG_HALF
  );
}

function isSpace(code: number): boolean {
  return (
    (code >= 0x09 && code <= 0x0d) ||
    code === 0x20 ||
    code === 0x85 ||
    code === 0xa0 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x3000
  );
}

function isNewline(code: number): boolean {
  return (code >= 0x0a && code <= 0x0d) || code === 0x85 || code === 0x2028 || code === 0x2029;
}

/** Hyphens that stand for one: hyphen, non-breaking hyphen, figure dash, bullet, minus, modifier letter. */
function isHyphen(code: number): boolean {
  return (code >= 0x2010 && code <= 0x2012) || code === 0x2043 || code === 0x2212 || code === 0xfe63 || code === 0x2d7;
}

/** Full-width letters as an input method for Chinese or Japanese writes them, one for one. */
export function foldWidth(text: string): string {
  return text.replaceAll(/[\uff01-\uff5e]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0));
}

/** Whether a text has dashes that may stand for hyphens. */
export function hasDashes(text: string): boolean {
  return /[\u2013-\u2015]/.test(text);
}

/** Whether lines of a text end with a hyphen, which may be the text's or the line's. */
export function hasBrokenWords(text: string): boolean {
  return /[-\u2010][ \t]{0,8}\r?\n/.test(text);
}

/** Walks a text once; see `CleanText`. */
export function cleanText(text: string, dashes: HyphenReading): CleanText {
  // A dash stands for up to three characters.
  const capacity = hasDashes(text) ? 3 * text.length : text.length;
  const sextets = new Uint8Array(capacity + 1);
  const sources = new Int32Array(capacity + 1);
  const gaps = new Uint8Array(capacity + 1);
  let count = 0;
  let gap = 0;
  let atLineStart = true;
  const push = (sextet: number, source: number) => {
    sextets[count] = sextet;
    sources[count] = source;
    gaps[count] = gap;
    gap = 0;
    count++;
  };
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const sextet = code < 128 ? (SEXTETS[code] ?? BREAK) : BREAK;
    if (dashes.breaks && (code === 0x2d || code === 0x2010) && isAtLineEnd(text, index)) continue;
    if (sextet < BREAK) push(sextet, index);
    else if (isInvisible(code) || (isLowHalf(code) && text.charCodeAt(index - 1) === TAG_HALF)) continue;
    else if (isSpace(code)) {
      if (isNewline(code)) atLineStart = true;
      gap = atLineStart ? 2 : 1;
      continue;
    } else if (isHyphen(code)) push(HYPHEN, index);
    else if (code >= 0x2013 && code <= 0x2015) {
      for (let times = code === 0x2013 ? dashes.en : dashes.em; times > 0; times--) push(HYPHEN, index);
    } else if (!isInserted(text, index, code, atLineStart) && sextets[count - 1] !== BREAK) push(BREAK, index);
    // Several quote marks stand at the beginning of a line.
    if (!isQuoteMark(code)) atLineStart = false;
  }
  return { count, sextets, sources, gaps, ends: endsOf(sextets, count) };
}

/**
 * Marks of a quoted line or a comment, frames around it, the "=" of a line that quoted-printable broke, the backslash before
 * an escaped character or a broken line.
 */
function isInserted(text: string, index: number, code: number, atLineStart: boolean): boolean {
  if (isQuoteMark(code)) return atLineStart || (isFrame(code) && isAtLineEnd(text, index));
  const next = text.charCodeAt(index + 1);
  if (code === 0x3d) return isNewline(next);
  return code === 0x5c && (next === UNDERSCORE_CODE || next === 0x2d || isNewline(next));
}

function isQuoteMark(code: number): boolean {
  return code === 0x3e || code === 0x2a || code === 0x2f || isFrame(code);
}

/** Lines beside a text. */
function isFrame(code: number): boolean {
  return code === 0x7c || code === 0x2502 || code === 0x2503 || code === 0x2551;
}

function isLowHalf(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

/** Whether only white space follows on the line. */
function isAtLineEnd(text: string, index: number): boolean {
  let next = index + 1;
  while (next < text.length && isSpace(text.charCodeAt(next)) && !isNewline(text.charCodeAt(next))) next++;
  return next < text.length && isNewline(text.charCodeAt(next));
}

function endsOf(sextets: Uint8Array, count: number): Int32Array {
  const ends = new Int32Array(count + 1);
  let end = count;
  for (let at = count - 1; at >= 0; at--) {
    if (sextets[at] === BREAK) end = at;
    ends[at] = end;
  }
  return ends;
}
