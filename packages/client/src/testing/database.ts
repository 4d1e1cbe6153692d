import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Store } from "../store/store.ts";
import { openSqliteStore } from "../node/sqlite-store.ts";
import type { SqliteStoreOptions } from "../node/options.ts";

/** A folder that is gone after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-store-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Path of a database that is not there yet. */
export function databasePath(t: TestContext): string {
  return join(temporaryFolder(t), "client.db");
}

/** Opens a database until the end of the test. */
export function openUntilEnd(t: TestContext, path: string, options: SqliteStoreOptions = {}): Store {
  const store = openSqliteStore(path, options);
  t.after(() => store.close());
  return store;
}

/** Runs a script in a process of its own, with `args` in its argv from 1 on; what it wrote, and how it ended. */
function runScript(script: string, ...args: string[]): { readonly output: string; readonly signal: string | null } {
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script, ...args], { encoding: "utf8" });
  return { output: `${ended.stdout}${ended.stderr}`.trim(), signal: ended.signal };
}

const STORE_MODULE = new URL("../node/sqlite-store.ts", import.meta.url).href;
const SAMPLES_MODULE = new URL("sample-rows.ts", import.meta.url).href;

/** For each path "open" when another process could open the database now, else the code of the error that it got. */
export function openElsewhere(...paths: string[]): string[] {
  const script = `
    import { openSqliteStore } from "${STORE_MODULE}";
    for (const path of process.argv.slice(1)) {
      try { openSqliteStore(path).close(); console.log("open"); } catch ({ code }) { console.log(code); }
    }`;
  return runScript(script, ...paths).output.split("\n");
}

/** A process that writes a message and ends as told, without closing the database. */
export function writeElsewhere(path: string, end: "by itself" | "exit" | "SIGKILL"): ReturnType<typeof runScript> {
  const endings = { "by itself": "", exit: "process.exit(0)", SIGKILL: 'process.kill(process.pid, "SIGKILL")' };
  const script = `
    import { openSqliteStore } from "${STORE_MODULE}";
    import { sampleMessage } from "${SAMPLES_MODULE}";
    openSqliteStore(process.argv[1]).transaction(({ messages }) => messages.put(sampleMessage(1n, "from elsewhere")));
    ${endings[end]};`;
  return runScript(script, path);
}
