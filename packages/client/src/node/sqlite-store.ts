import { nodeCrypto } from "@latchkey/mls/node";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { changeStoreKey, unlockedStore } from "../store/encryption.ts";
import { TABLE_KEYS, type Store, type Tables } from "../store/store.ts";
import { translated } from "./sqlite-errors.ts";
import { inTransaction, openDatabaseFile, type DatabaseFile, type FileOptions } from "./sqlite-file.ts";
import { snakeCase, SqliteTable } from "./sqlite-table.ts";

/** Settings of a database. */
export interface SqliteStoreOptions extends FileOptions {
  /** 32 random bytes: rows are sealed with it on disk; see `CARRIERS` in `store/sealed-store.ts` for what stays readable. */
  readonly encryptionKey?: Uint8Array | undefined;
}

/**
 * Opens or creates the database of one installation: WAL, every commit synced to disk, deleted keys overwritten, held
 * by one process at a time, readable for its owner only.
 *
 * @throws STORE_VERSION for a file of a newer version, STORE_DAMAGED for one that is not whole, STORE_KEY_MISSING,
 * STORE_KEY_WRONG, STORE_NOT_ENCRYPTED, all of which leave it as it is; STORE_LOCKED; STORE_FULL; STORE_FAILED.
 */
export function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
  const store = storeOn(translated(() => openDatabaseFile(path, options)));
  try {
    return unlockedStore(store, nodeCrypto, options.encryptionKey);
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * Encrypts a database, gives it another key, or decrypts it, in one transaction; `from` is the key it has, `to` the one
 * it gets, each left out for none. No program may have it open. Throws as `openSqliteStore`.
 */
export function changeDatabaseKey(
  path: string,
  keys: { readonly from?: Uint8Array | undefined; readonly to?: Uint8Array | undefined },
): void {
  const store = storeOn(translated(() => openDatabaseFile(path, {})));
  try {
    changeStoreKey(store, nodeCrypto, { from: keys.from, to: keys.to });
  } finally {
    store.close();
  }
}

/**
 * Moves what was written into the file, and with it empties the write-ahead log, which keeps deleted keys till then:
 * after a number of transactions, and when nothing was written for a while.
 */
class LogEmptier {
  readonly #file: DatabaseFile;
  #transactions = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: DatabaseFile) {
    this.#file = file;
  }

  /** To be called behind every transaction. */
  wrote(): void {
    this.#transactions++;
    if (this.#transactions >= CLIENT_LIMITS.maxLoggedTransactions) this.#empty();
    else this.#timer ??= setTimeout(() => this.#empty(), CLIENT_LIMITS.emptyLogAfterMs).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #empty(): void {
    this.stop();
    this.#transactions = 0;
    try {
      this.#file.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // Everything is safe in the log: the next time will do.
    }
  }
}

function storeOn(file: DatabaseFile): Store {
  const { database } = file;
  const emptier = new LogEmptier(file);
  let writing = false;
  const guard = () => {
    if (!writing) throw clientError("STORE_FAILED", "a row was written outside of a transaction", { scope: "defect" });
  };
  // The records of `store/records.ts` and the columns of the schema are the same by construction; a test compares them.
  const tables = Object.fromEntries(
    Object.keys(TABLE_KEYS).map((name) => [name, new SqliteTable(database, snakeCase(name), guard)]),
  ) as unknown as Tables;
  return {
    ...tables,
    transaction(write) {
      if (writing) throw clientError("STORE_FAILED", "a transaction was begun inside another one", { scope: "defect" });
      writing = true;
      try {
        return translated(() => inTransaction(database, () => write(tables)));
      } finally {
        writing = false;
        emptier.wrote();
      }
    },
    close() {
      emptier.stop();
      file.close();
    },
  };
}
