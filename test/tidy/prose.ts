import type { SourceFile } from "./source-files.ts";

/** Figures of the prose of comments or pages. */
export interface ProseFigures {
  readonly words: number;
  /** Clauses such as "what is" and "which the", per 1 000 words. */
  readonly whatClauses: number;
  /** Share of sentences above 30 words, in percent. */
  readonly longSentences: number;
}

const WHAT_CLAUSE =
  /\b(what|which) (is|was|are|were|it|they|has|have|had|a|the|no|others?|somebody|nobody|anybody|came|comes|people)\b/gi;

/** Words of a sentence that is long. */
const LONG = 30;

/** The text of a file's doc comments, one paragraph each. */
export function docComments({ text }: SourceFile): string {
  return Array.from(text.matchAll(/\/\*\*([\s\S]*?)\*\//g), ([, body = ""]) => body.replace(/^\s*\* ?/gm, "")).join(
    "\n\n",
  );
}

/** The running text of a Markdown page, without code, tables and headings. */
export function runningText({ text }: SourceFile): string {
  return text
    .replace(/```[\s\S]*?```/g, "")
    .replace(/^\|.*$/gm, "")
    .replace(/^#+.*$/gm, "\n\n");
}

/** Counts a text; code counts as one word, and a link as its words. */
export function proseFigures(text: string): ProseFigures {
  const plain = text.replace(/`[^`]*`/g, "CODE").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  const words = plain.split(/\s+/).filter((word) => /[a-z]/i.test(word)).length;
  const lengths = plain
    .split(/(?<=[.!?])\s+|\n\n+/)
    .map((sentence) => sentence.trim().split(/\s+/).length)
    .filter((length) => length >= 3);
  return {
    words,
    whatClauses: (1_000 * (plain.match(WHAT_CLAUSE) ?? []).length) / Math.max(1, words),
    longSentences: (100 * lengths.filter((length) => length > LONG).length) / Math.max(1, lengths.length),
  };
}
