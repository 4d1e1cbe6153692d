import type { SAHPoolUtil, Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { systemClock } from "../../clock.ts";
import { clientError } from "../../errors.ts";
import { CLIENT_LIMITS } from "../../limits.ts";
import { storeFailed } from "../../store/sql/errors.ts";
import { sqlStore } from "../../store/sql/sql-store.ts";
import type { SqlDriver } from "../../store/sql/driver.ts";
import type { Store } from "../../store/store.ts";
import { prepareDatabase } from "./prepare-database.ts";
import { sqliteWasmDriver } from "./sqlite-wasm-driver.ts";

/** Files that a new pool has room for: a database, its log, and the copy that giving room back takes. */
const MIN_FILES = 6;

/** Databases of this worker in the origin's private file system (OPFS), all of whose files it holds open. */
export interface OpfsPool {
  /** Whether there is a database of that name. */
  has(name: string): boolean;
  /**
   * Opens or makes a database. `morePages` bounds its growth, in pages of 4096 bytes.
   *
   * @throws STORE_LOCKED for one that is open, and as `prepareDatabase`.
   */
  open(name: string, morePages?: number): { readonly store: Store; readonly driver: SqlDriver };
  /** Gives the files back to the other workers of the origin. Every database has to be closed. */
  pause(): void;
  /** Takes the files again. Throws as `openOpfsPool`. */
  resume(): Promise<void>;
}

/** Whether this browser has what the pool needs; WebKitGTK and private windows of some browsers have not. */
export function hasOpfs(): boolean {
  const { FileSystemFileHandle: handle, navigator } = globalThis as {
    readonly FileSystemFileHandle?: { readonly prototype: object };
    readonly navigator?: { readonly storage?: { readonly getDirectory?: unknown } };
  };
  return handle !== undefined && "createSyncAccessHandle" in handle.prototype && !!navigator?.storage?.getDirectory;
}

/**
 * Takes the files of a folder of the private file system. The caller holds the Web Lock of that folder: two workers that
 * both open it would each get some of its files. The files of a worker that ended a moment ago may still be held by the
 * browser, so they are asked for again for a bounded time. `files` is how many a new pool has room for.
 *
 * @throws STORE_LOCKED when another worker keeps them; STORE_FAILED where the browser has no such file system.
 */
export async function openOpfsPool(sqlite3: Sqlite3Static, folder: string, files = MIN_FILES): Promise<OpfsPool> {
  if (!hasOpfs()) throw storeFailed("this browser keeps no files for a site; use another one", new Error("no OPFS"));
  const options = {
    name: folder,
    directory: folder,
    initialCapacity: files,
    // A pool that cannot be installed is deleted by default, with all databases in it.
    preserveOnInitFailure: true,
    // The types of the package do not name these two.
    forceReinitIfPreviouslyFailed: true,
    verbosity: 0,
  };
  const pool = await repeated(() => sqlite3.installOpfsSAHPoolVfs(options));
  return poolOf(sqlite3, pool, folder);
}

function poolOf(sqlite3: Sqlite3Static, pool: SAHPoolUtil, vfs: string): OpfsPool {
  const open = new Set<string>();
  return {
    has: (name) => pool.getFileNames().includes(`/${name}`),
    open(name, morePages) {
      if (open.has(name)) throw clientError("STORE_LOCKED", "the database is open in another place; close it there");
      const driver = sqliteWasmDriver(sqlite3, `/${name}`, vfs);
      const close = () => {
        open.delete(name);
        driver.close();
      };
      open.add(name);
      try {
        prepareDatabase(driver, morePages);
      } catch (error) {
        close();
        throw error;
      }
      return { store: sqlStore(driver, close), driver };
    },
    pause() {
      pool.pauseVfs();
    },
    async resume() {
      await repeated(() => pool.unpauseVfs());
    },
  };
}

/** Runs `take` until it succeeds, `maxOpfsAttempts` times. Throws STORE_LOCKED with the last failure as cause. */
async function repeated<T>(take: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await take();
    } catch (cause) {
      if (attempt >= CLIENT_LIMITS.maxOpfsAttempts) {
        throw clientError("STORE_LOCKED", "another tab holds the files of the database; close it and repeat", {
          cause: cause instanceof Error ? cause : new Error(String(cause)),
        });
      }
      await systemClock.sleep(CLIENT_LIMITS.opfsPauseMs);
    }
  }
}
