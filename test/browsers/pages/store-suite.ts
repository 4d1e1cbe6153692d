import { webCrypto } from "@latchkey/mls/web";
import { storeCases } from "../../../packages/client/src/testing/store-suite.ts";
import { sampleMessage } from "../../../packages/client/src/testing/sample-rows.ts";
import { unlockedStore } from "../../../packages/client/src/store/encryption.ts";
import type { Store } from "../../../packages/client/src/store/store.ts";
import { openOpfsPool, type OpfsPool } from "../../../packages/client/src/web/worker/opfs-pool.ts";
import { startSqlite } from "../../../packages/client/src/web/worker/sqlite.ts";

/** Pages of 4096 bytes that a small database may have more: 4 MiB. */
const SMALL_PAGES = 1024;

/** More than the databases of one run and their logs. */
const FILES = 120;

const KEYS = { readable: undefined, sealed: new Uint8Array(32).fill(1) };

interface Report {
  passed: number;
  readonly failures: string[];
}

/** Runs every case on databases of their own; those of earlier runs are in the pool and are left alone. */
function runSuite(pool: OpfsPool): Report {
  const report: Report = { passed: 0, failures: [] };
  const run = crypto.randomUUID();
  for (const [form, key] of Object.entries(KEYS)) {
    storeCases(["lock", "full"]).forEach(({ title, run: runCase }, index) => {
      const name = `${run}-${form}-${index}`;
      const open = (morePages?: number): Store => unlockedStore(pool.open(name, morePages).store, webCrypto, key);
      try {
        runCase({ open: () => open(), openSmall: () => open(SMALL_PAGES) });
        report.passed++;
      } catch (error) {
        report.failures.push(`${form}: ${title}: ${String(error)}`);
      }
    });
  }
  return report;
}

/** The rows that earlier leaders have written, and one more. */
function writeRow(store: Store): number {
  return store.transaction((tables) => {
    const { groupId } = sampleMessage(1n);
    const count = tables.messages.count(groupId);
    tables.messages.put(sampleMessage(BigInt(count + 1), `row ${count + 1}`));
    return count + 1;
  });
}

interface Command {
  readonly id: number;
  readonly what: "suite" | "lead" | "write" | "stop";
}

let pool: OpfsPool | undefined;
let held: Store | undefined;
let letGo: (() => void) | undefined;

/** Takes the lock, then the pool, then the database, as the client's worker does. */
async function lead(): Promise<number> {
  const granted = Promise.withResolvers<undefined>();
  const done = Promise.withResolvers<undefined>();
  void navigator.locks.request("store-suite", async () => {
    granted.resolve(undefined);
    await done.promise;
  });
  await granted.promise;
  if (pool === undefined) pool = await openOpfsPool(await startSqlite("/assets/sqlite3.wasm"), "hand-over");
  else await pool.resume();
  held = pool.open("shared").store;
  letGo = () => {
    held?.close();
    pool?.pause();
    done.resolve(undefined);
  };
  return writeRow(held);
}

async function obey(what: Command["what"]): Promise<unknown> {
  switch (what) {
    case "suite":
      return runSuite(await openOpfsPool(await startSqlite("/assets/sqlite3.wasm"), "store-suite", FILES));
    case "lead":
      return lead();
    case "write":
      if (held === undefined) throw new Error("no leader");
      return writeRow(held);
    case "stop":
      letGo?.();
      return undefined;
  }
}

self.onmessage = (event: MessageEvent<Command>) => {
  const { id, what } = event.data;
  obey(what).then(
    (value) => self.postMessage({ id, value }),
    (error: unknown) => self.postMessage({ id, error: String(error) }),
  );
};
