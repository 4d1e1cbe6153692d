import { nodeCrypto } from "@latchkey/mls/node";
import { changeStoreKey, unlockedStore } from "../store/encryption.ts";
import type { DatabaseOptions } from "../store/sql/database.ts";
import { sqlStore } from "../store/sql/sql-store.ts";
import type { Store } from "../store/store.ts";
import { walledNow } from "../public-calls.ts";
import { requireKeys, requirePath, requireStoreOptions } from "./arguments.ts";
import { translated } from "./sqlite-errors.ts";
import type { DatabaseKeys, SqliteStoreOptions } from "./options.ts";
import { openDatabaseFile } from "./sqlite-file.ts";

/**
 * Opens or creates the database of one installation: WAL, every commit synced to disk, deleted keys overwritten, held
 * by one process at a time, readable for its owner only.
 *
 * @throws STORE_VERSION for a file of a newer version, STORE_DAMAGED for one that is not whole, STORE_KEY_MISSING,
 * STORE_KEY_WRONG, STORE_NOT_ENCRYPTED, all of which leave it as it is; STORE_LOCKED; STORE_FULL; STORE_FAILED.
 */
export function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
  return walledNow(() => {
    const { encryptionKey, ...checked } = requireStoreOptions(options, "options");
    const store = openStore(requirePath(path, "path"), checked);
    try {
      return unlockedStore(store, nodeCrypto, encryptionKey);
    } catch (error) {
      store.close();
      throw error;
    }
  });
}

/**
 * Encrypts a database, gives it another key, or decrypts it, in one transaction; `from` is the key it has, `to` the one
 * it gets, each left out for none. No program may have it open. Throws as `openSqliteStore`.
 */
export function changeDatabaseKey(path: string, keys: DatabaseKeys): void {
  walledNow(() => {
    const { from, to } = requireKeys(keys, "keys");
    const store = openStore(requirePath(path, "path"), {});
    try {
      changeStoreKey(store, nodeCrypto, { from, to });
    } finally {
      store.close();
    }
  });
}

function openStore(path: string, options: DatabaseOptions): Store {
  const file = translated(() => openDatabaseFile(path, options));
  return sqlStore(file.driver, () => file.close());
}
