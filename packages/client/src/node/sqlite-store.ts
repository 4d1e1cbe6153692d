import { nodeCrypto } from "@latchkey/mls/node";
import { changeStoreKey, unlockedStore } from "../store/encryption.ts";
import type { DatabaseOptions } from "../store/sql/database.ts";
import { sqlStore } from "../store/sql/sql-store.ts";
import type { Store } from "../store/store.ts";
import { translated } from "./sqlite-errors.ts";
import { openDatabaseFile } from "./sqlite-file.ts";

/** Settings of a database. */
export interface SqliteStoreOptions extends DatabaseOptions {
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
  const store = openStore(path, options);
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
  const store = openStore(path, {});
  try {
    changeStoreKey(store, nodeCrypto, { from: keys.from, to: keys.to });
  } finally {
    store.close();
  }
}

function openStore(path: string, options: DatabaseOptions): Store {
  const file = translated(() => openDatabaseFile(path, options));
  return sqlStore(file.driver, () => file.close());
}
