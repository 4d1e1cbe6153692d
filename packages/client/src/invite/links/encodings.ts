import { CLIENT_LIMITS } from "../../limits.ts";

/** A text under one more encoding, and whether the encoding is that of a server which rewrote the link. */
export interface Undone {
  readonly text: string;
  readonly exposes: boolean;
}

/** Names of characters in HTML that stand in links, or that programs insert. */
const NAMED: Readonly<Record<string, string>> = {
  num: "#",
  lowbar: "_",
  hyphen: "-",
  dash: "-",
  period: ".",
  sol: "/",
  colon: ":",
  equals: "=",
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  nbsp: " ",
  shy: "",
  zerowidthspace: "",
};

function withoutEntities(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,6})|#x([\da-f]{1,5})|([a-z]{2,16}));/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole;
      const code = decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal);
      return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    },
  );
}

/** Tags inside of words, and the colours of a terminal. */
function withoutTags(text: string): string {
  return text.replaceAll(
    /<\/?(?:wbr|br|span|font|code|mark|strong|em|[biup]|div|a|td)\b[^<>]{0,512}>|\u001b\[[\d;]{0,32}m/gi,
    "",
  );
}

/** Escapes of programming languages and of older JavaScript: `\u0023`, `\u{23}`, `\x23`, `%u0023`. */
function withoutEscapes(text: string): string {
  return text.replaceAll(
    /(?:\\u|%u)([\da-f]{4})|\\u\{([\da-f]{1,4})\}|\\x([\da-f]{2})/gi,
    (_, four?: string, braced?: string, two?: string) => String.fromCharCode(parseInt(four ?? braced ?? two ?? "", 16)),
  );
}

/** Quoted-printable (RFC 2045, section 6.7), of which the letters of links are ASCII. */
function withoutQuotedPrintable(text: string): string {
  return text
    .replaceAll(/=[ \t]{0,8}\r?\n/g, "")
    .replaceAll(/=([2-7][\da-f])/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** Links as Proofpoint's second version rewrites them: `-` for `%`, and `_` for `/`. */
function withoutProofpoint(text: string): string {
  return text.replaceAll(/urldefense\.proofpoint\.com\/v2\/url\?u=([\w.-]+)/gi, (_, link: string) =>
    link
      .replaceAll("_", "/")
      .replaceAll(/-([\da-f]{2})/gi, (__, hex: string) => String.fromCharCode(parseInt(hex, 16))),
  );
}

/** Links in the query of a gateway that are base64 as a whole. */
function withoutBase64Links(text: string): string {
  return text.replaceAll(/(?<==)(?:aHR0cDov|aHR0cHM6|bGF0Y2hrZXk6)[\w+/-]+/g, plainBase64);
}

/** Bodies and headers of mails in base64 (RFC 2045, section 6.8; RFC 2047). */
function withoutMailBase64(text: string): string {
  return text
    .replaceAll(
      /(content-transfer-encoding:[ \t]{0,8}base64[^]{0,1000}?\r?\n\r?\n)([\w+/\s-]+)/gi,
      (_, head: string, body: string) => `${head}${plainBase64(body)}`,
    )
    .replaceAll(/=\?[\w-]{1,32}\?b\?([\w+/-]+)={0,2}\?=\s{0,8}/gi, (_, word: string) => plainBase64(word));
}

/** The characters of a text in base64 or base64url, each byte as one; the text itself where it is not base64. */
function plainBase64(encoded: string): string {
  const letters = encoded.replaceAll(/\s/g, "").replaceAll("-", "+").replaceAll("_", "/");
  try {
    return atob(letters.slice(0, letters.length - (letters.length % 4 === 1 ? 1 : 0)));
  } catch {
    return encoded;
  }
}

/** Letters of other alphabets' blocks that look like ASCII, as generators of "fonts" write them. */
function withoutFonts(text: string): string {
  // Some characters stand for eighteen.
  return text.normalize("NFKC").slice(0, CLIENT_LIMITS.maxInviteTextCharacters);
}

const ENCODINGS: readonly (readonly [undo: (text: string) => string, exposes: boolean])[] = [
  [withoutEntities, false],
  [withoutTags, false],
  [withoutEscapes, false],
  [withoutProofpoint, true],
  [withoutBase64Links, true],
  [withoutMailBase64, false],
  [withoutQuotedPrintable, false],
  [withoutFonts, false],
];

/** Undoes one encoding after the other, beside percent-encoding; gives the text each time that it changed. */
export function* undoEncodings(text: string): Generator<Undone> {
  let current = text;
  for (const [undo, exposes] of ENCODINGS) {
    const next = undo(current);
    if (next !== current) yield { text: next, exposes };
    current = next;
  }
}
