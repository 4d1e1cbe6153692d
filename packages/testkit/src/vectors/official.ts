import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

/** The 16 official vector files of mlswg/mls-implementations. */
export const OFFICIAL_FILES = [
  "crypto-basics.json",
  "deserialization.json",
  "key-schedule.json",
  "message-protection.json",
  "messages.json",
  "passive-client-handling-commit.json",
  "passive-client-random.json",
  "passive-client-welcome.json",
  "psk_secret.json",
  "secret-tree.json",
  "transcript-hashes.json",
  "tree-math.json",
  "tree-operations.json",
  "tree-validation.json",
  "treekem.json",
  "welcome.json",
] as const;

const PROJECT_ROOT = resolve(import.meta.dirname, "../../../..");

/** Where the official vectors are looked for: `MLS_VECTORS_DIR`, else `../shared/mls-vectors` from the project's root. */
export function officialVectorsDirectory(): string {
  const stated = process.env["MLS_VECTORS_DIR"];
  return stated === undefined || stated === "" ? resolve(PROJECT_ROOT, "../shared/mls-vectors") : resolve(stated);
}

/** Paths of the official files, and those of them that do not exist. */
export function officialVectorFiles(): { paths: string[]; missing: string[] } {
  const paths = OFFICIAL_FILES.map((name) => join(officialVectorsDirectory(), name));
  return { paths, missing: paths.filter((path) => !existsSync(path)) };
}
