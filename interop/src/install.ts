import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const INTEROP = join(import.meta.dirname, "..");

/** Installs the native library into interop/ when it is missing; throws when that fails. */
export function installLibrary(): void {
  if (existsSync(join(INTEROP, "node_modules/@xmtp/node-bindings/package.json"))) return;
  console.error("installing the native library (about 400 MB on disk)");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: INTEROP, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error("`npm ci` in interop/ failed");
}
