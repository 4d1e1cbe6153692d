import { utf8, type CryptoProvider } from "@latchkey/mls";
import { clientError, codeOf } from "../errors.ts";
import type { EncryptionRecord } from "./records.ts";
import { RowSealer, sealingSuite } from "./row-sealer.ts";
import { CARRIERS, sealedStore, sealedTables, sealersOf, TABLE_NAMES, type Sealers } from "./sealed-store.ts";
import type { AnyTable, Store } from "./store.ts";

/** Bytes of a key for a database; it has to be random, a password is none. */
export const DATABASE_KEY_BYTES = 32;

interface Unlocked {
  readonly sealers: Sealers;
  readonly check: RowSealer;
}

/** The keys that follow from a key and the salt of a database, by HKDF. Throws STORE_KEY_WRONG for another length. */
function derive(crypto: CryptoProvider, key: Uint8Array, salt: Uint8Array): Unlocked {
  if (key.length !== DATABASE_KEY_BYTES) {
    throw clientError("STORE_KEY_WRONG", `a database key has ${DATABASE_KEY_BYTES} bytes, not ${key.length}`);
  }
  const suite = sealingSuite(crypto);
  const databaseKey = suite.hkdfExtract(salt, key);
  const checkKey = suite.hkdfExpand(databaseKey, utf8("latchkey store 1 check"), suite.aeadKeyLength);
  return { sealers: sealersOf(suite, databaseKey), check: new RowSealer(suite, checkKey, "encryption") };
}

function newEncryption(crypto: CryptoProvider, key: Uint8Array): Unlocked & { readonly record: EncryptionRecord } {
  const salt = crypto.randomBytes(32);
  const unlocked = derive(crypto, key, salt);
  return { ...unlocked, record: { name: "self", salt, check: unlocked.check.seal(["self"], {}) } };
}

/** The keys of a database that is encrypted; throws STORE_KEY_WRONG. */
function unlock(crypto: CryptoProvider, key: Uint8Array, { salt, check }: EncryptionRecord): Unlocked {
  const unlocked = derive(crypto, key, salt);
  try {
    unlocked.check.open(["self"], check);
  } catch (error) {
    if (codeOf(error) !== "STORE_DAMAGED") throw error;
    throw clientError("STORE_KEY_WRONG", "the database is encrypted with another key; use the one it was made with", {
      cause: error,
    });
  }
  return unlocked;
}

/**
 * A store as its owner sees it: with a key everything is sealed on disk but what `CARRIERS` leaves readable; without one
 * the store is returned as it is. A store that nobody lives in yet becomes an encrypted one by its first key.
 *
 * @throws STORE_KEY_MISSING, STORE_KEY_WRONG, STORE_NOT_ENCRYPTED for a key that a readable database does not have.
 */
export function unlockedStore(store: Store, crypto: CryptoProvider, key: Uint8Array | undefined): Store {
  const encryption = store.encryption.get("self");
  if (key === undefined) {
    if (encryption === undefined) return store;
    throw clientError("STORE_KEY_MISSING", "the database is encrypted; give the key it was made with");
  }
  if (encryption !== undefined) return sealedStore(store, unlock(crypto, key, encryption).sealers);
  if (store.identity.get("self") !== undefined) {
    throw clientError("STORE_NOT_ENCRYPTED", "the database is not encrypted; encrypt it first, or give no key");
  }
  const { sealers, record } = newEncryption(crypto, key);
  store.transaction((tables) => tables.encryption.put(record));
  return sealedStore(store, sealers);
}

/**
 * Seals every row with another key, in one transaction: from no key to one, from one to another, from one to none.
 * Memory holds one table at a time. Throws as `unlockedStore`, and STORE_DAMAGED for a row that does not open.
 */
export function changeStoreKey(
  store: Store,
  crypto: CryptoProvider,
  keys: { readonly from: Uint8Array | undefined; readonly to: Uint8Array | undefined },
): void {
  const before = unlockedStore(store, crypto, keys.from) as unknown as Record<string, AnyTable>;
  const next = keys.to === undefined ? undefined : newEncryption(crypto, keys.to);
  store.transaction((tables) => {
    const after = (next === undefined ? tables : sealedTables(tables, next.sealers)) as unknown as Record<
      string,
      AnyTable
    >;
    for (const name of TABLE_NAMES.filter((table) => CARRIERS[table] !== undefined)) {
      for (const row of before[name]?.list() ?? []) after[name]?.put(row);
    }
    if (next === undefined) tables.encryption.delete("self");
    else tables.encryption.put(next.record);
  });
}
