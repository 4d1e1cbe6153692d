import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A source file, with its path from the root, separated by slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "gen" || entry.name.startsWith(".")) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** All files below packages, apps, release, test and docs whose name ends so, generated ones left out. */
export function filesEndingWith(suffix: string): SourceFile[] {
  return ["packages", "apps", "release", "test", "docs"]
    .flatMap((folder) => walk(join(ROOT, folder)))
    .filter((path) => path.endsWith(suffix))
    .map((path) => ({ path: relative(ROOT, path).split(sep).join("/"), text: readFileSync(path, "utf8") }));
}

/** A test, or a file that only tests and tools for measuring use. */
export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/") || /^[^/]+\/[^/]+\/src\/testing\//.test(path);
}
