import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "./root.ts";

/** Licences that allow redistribution under notice alone. Others are refused. */
const ALLOWED: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
  "Unlicense",
];

/** A package that somebody else wrote, as it is installed here. */
export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** Texts of its licence and notice files. */
  readonly texts: readonly string[];
}

interface InstalledManifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** Folder of an installed package, found from the folder of the package that needs it as Node finds it. */
function folderOf(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    if (folder === dirname(folder)) throw new Error(`${name} is not installed, run npm ci`);
  }
}

function allows(expression: string): boolean {
  const alternatives = expression.replaceAll(/[()]/g, "").split(/\s+OR\s+/);
  return alternatives.some((terms) => terms.split(/\s+AND\s+/).every((term) => ALLOWED.includes(term)));
}

/** Texts of licence and notice files; where there are none, what the README says under its heading about the licence. */
function licenceTexts(folder: string): string[] {
  const names = readdirSync(folder).sort();
  const files = names.filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  if (files.length > 0) return files.map((name) => readFileSync(join(folder, name), "utf8").trim());
  const readme = names.find((name) => /^readme\.md$/i.test(name));
  const text = readme === undefined ? "" : readFileSync(join(folder, readme), "utf8");
  const section = /^#+ *licen[cs]e\b.*\n(?<text>[^]*?)(?=^#|$(?![^]))/im.exec(text)?.groups?.["text"]?.trim();
  return section !== undefined && /copyright/i.test(section) ? [section] : [];
}

/**
 * Packages of others that a package of this repository brings along, sorted by name. Packages of this repository are
 * followed and not listed.
 *
 * @throws Error for a licence that is not allowed, and for a package that is not installed.
 */
export function thirdPartiesOf(folder: string): ThirdParty[] {
  const found = new Map<string, ThirdParty>();
  const visited = new Set<string>();
  const visit = (at: string): void => {
    if (visited.has(at)) return;
    visited.add(at);
    const manifest = JSON.parse(readFileSync(join(at, "package.json"), "utf8")) as InstalledManifest;
    for (const name of Object.keys(manifest.dependencies ?? {})) visit(folderOf(name, at));
    if (manifest.name.startsWith("@latchkey/") || manifest.name === "latchkey") return;
    const license = manifest.license ?? "none stated";
    if (!allows(license)) throw new Error(`${manifest.name} ${manifest.version} has the licence ${license}`);
    const texts = licenceTexts(at);
    found.set(`${manifest.name}@${manifest.version}`, {
      name: manifest.name,
      version: manifest.version,
      license,
      texts,
    });
  };
  visit(join(ROOT, folder));
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The text of the Apache License, which some packages name and do not ship. TypeScript, a development tool, ships it. */
function apacheText(): string {
  return readFileSync(join(ROOT, "node_modules/typescript/LICENSE.txt"), "utf8").trim();
}

/**
 * The text of `THIRD_PARTY_NOTICES`.
 *
 * @throws Error for a package without licence text, unless it names the Apache License, whose text is then given.
 */
export function noticesText(packages: readonly ThirdParty[]): string {
  if (packages.length === 0) return "This package needs no software of others.\n";
  const parts = packages.map(({ name, version, license, texts }) => {
    if (texts.length === 0 && !license.includes("Apache-2.0")) throw new Error(`${name} ships no licence text`);
    return [`${name} ${version} (${license})`, ...(texts.length === 0 ? [apacheText()] : texts)].join("\n\n");
  });
  return `This package needs the following software of others.\n\n${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
