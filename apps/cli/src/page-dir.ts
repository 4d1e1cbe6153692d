import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of the built page; undefined where the package of the page is not there or was not built. */
export function pageDir(): string | undefined {
  try {
    const manifest = fileURLToPath(import.meta.resolve("@latchkey/page/manifest.json"));
    return existsSync(manifest) ? dirname(manifest) : undefined;
  } catch {
    return undefined;
  }
}
