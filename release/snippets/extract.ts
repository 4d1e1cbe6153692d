import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";

/** What is done with a code block of a page. */
export type SnippetUse = "run" | "check";

/** A code block of a README or of a page in `docs`. */
export interface Snippet {
  /** Path of the page from the root. */
  readonly page: string;
  /** Line of the page where the code begins. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** `check` where the page says that the block is a part of a program and cannot run by itself. */
  readonly use: SnippetUse;
  /** Code that the page gives in a comment before the block: what the block needs and readers know. */
  readonly before: string;
}

const BLOCK = /(?:^<!-- (?<use>run|check)(?<before>[^]*?)-->\n\n?)?^```(?<language>\w+)\n(?<code>[^]*?)^```$/gm;

/** All code blocks of a page in the given language. */
export function snippetsOf(page: string, text: string, language: string): Snippet[] {
  return Array.from(text.matchAll(BLOCK), (match): Snippet => {
    const { use, before = "", language: found = "", code = "" } = match.groups ?? {};
    const codeAt = match.index + match[0].lastIndexOf(code);
    const line = text.slice(0, codeAt).split("\n").length;
    return { page, line, language: found, code, use: use === "check" ? "check" : "run", before: before.trimStart() };
  }).filter((snippet) => snippet.language === language);
}

/** READMEs of the root, of packages and applications, and the pages of `docs`, by path from the root. */
export function pages(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      if (entry.name === "node_modules") return [];
      const path = `${folder}/${entry.name}`;
      return entry.isDirectory() ? below(path) : path.endsWith(".md") ? [path] : [];
    });
  return ["README.md", ...["packages", "apps", "interop", "docs"].flatMap(below)].sort();
}

/** The code blocks of all pages in a language. */
export function allSnippets(language: string): Snippet[] {
  return pages().flatMap((page) => snippetsOf(page, readFileSync(join(ROOT, page), "utf8"), language));
}

/** A module of a `ts` block: what stands before it, then the block itself, with names of its own. */
export function moduleOf({ before, code }: Snippet): string {
  return `${before}\n${code}\nexport {};\n`;
}
