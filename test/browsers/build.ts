import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** One file of a page under test. */
export interface BuiltFile {
  readonly type: string;
  readonly role: "document" | "worker" | "asset";
  readonly bytes: Uint8Array;
}

/** A file of a page that is written here. */
export function bundleText(type: string, role: BuiltFile["role"], content: string): BuiltFile {
  return { type, role, bytes: new TextEncoder().encode(content) };
}

/** Bundles one worker script, as the build of the page does. */
export async function bundleWorker(entry: URL): Promise<BuiltFile> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    logLevel: "error",
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error("nothing was built");
  return { type: "text/javascript", role: "worker", bytes: file.contents };
}

/** SQLite as its package brings it. */
export async function sqliteWasm(): Promise<BuiltFile> {
  const path = fileURLToPath(import.meta.resolve("@sqlite.org/sqlite-wasm/sqlite3.wasm"));
  return { type: "application/wasm", role: "asset", bytes: await readFile(path) };
}
