import { decodeUtf8 } from "@latchkey/mls";

/** A passkey's client data (WebAuthn Level 3 §5.8.1); other members are ignored. */
export interface ClientData {
  readonly origin: string;
  readonly challenge: string;
}

/** A string, a bracket, a separator, or the rest of a number or word, of a JSON text. */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|[[\]{}:,]|[^[\]{}:,"\s]+/g;

/** The values and names right below the outer object or array; anything but a string is undefined. */
function outerTokens(text: string): (string | undefined)[] {
  const tokens: (string | undefined)[] = [];
  let depth = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      if (depth === 1) tokens.push(undefined);
      depth++;
    } else if (token === "}" || token === "]") depth--;
    else if (depth === 1 && token !== ":" && token !== ",") tokens.push(token.startsWith('"') ? token : undefined);
  }
  return tokens;
}

/** The string of a JSON token whose characters stand for bytes; undefined when it is not valid Unicode. */
function readString(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(token, (character) => character.charCodeAt(0));
    const value: unknown = JSON.parse(decodeUtf8(bytes));
    return typeof value === "string" && value.isWellFormed() ? value : undefined;
  } catch {
    return undefined;
  }
}

function fromPair(tokens: readonly (string | undefined)[]): ClientData | undefined {
  if (tokens.length !== 2) return undefined;
  const [origin, challenge] = tokens.map(readString);
  return origin === undefined || challenge === undefined ? undefined : { origin, challenge };
}

function fromMembers(tokens: readonly (string | undefined)[]): ClientData | undefined {
  const found = new Map<string, string | undefined>();
  for (let at = 0; at < tokens.length; at += 2) {
    const name = readString(tokens[at]);
    if (name === undefined) return undefined;
    if (name !== "origin" && name !== "challenge") continue;
    if (found.has(name)) return undefined;
    found.set(name, tokens[at + 1]);
  }
  return fromPair([found.get("origin"), found.get("challenge")]);
}

/**
 * Reads client data exactly as XMTP's clients do, which differs from `JSON.parse`: `origin` and `challenge` are strings
 * that stand there once, names and both strings are valid Unicode, strings that nobody reads need not be, and an array of
 * origin and challenge counts as well. Undefined for anything else.
 */
export function readClientData(bytes: Uint8Array): ClientData | undefined {
  // One character for each byte: the grammar of JSON is ASCII, and text is decoded where it is read.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const [outer] = /[^\s]/.exec(text) ?? [];
  if (outer === "[") return fromPair(outerTokens(text));
  return outer === "{" ? fromMembers(outerTokens(text)) : undefined;
}
