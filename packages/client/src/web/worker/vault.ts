import { clientError } from "../../errors.ts";
import { DATABASE_KEY_BYTES } from "../../store/encryption.ts";
import { keyedRecords } from "./keyed-records.ts";

/** Bytes of the guest's wallet key. */
const WALLET_KEY_BYTES = 32;

/** What a guest's installation rests on. */
export interface Secrets {
  readonly databaseKey: Uint8Array;
  readonly walletKey: Uint8Array;
}

/** The secrets as they are kept: sealed under a key that the browser uses for this site and gives to no script. */
export interface VaultRecord {
  readonly name: "self";
  readonly key: CryptoKey;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: Uint8Array<ArrayBuffer>;
  /** Set once the database was made: from then on its absence means that the browser has deleted it. */
  readonly hasDatabase: boolean;
}

/** Where a vault is kept. */
export interface VaultShelf {
  get(): Promise<VaultRecord | undefined>;
  /** On disk when it resolves. */
  put(record: VaultRecord): Promise<void>;
}

/** The secrets of an installation. */
export interface Vault extends Secrets {
  readonly hasDatabase: boolean;
  /** Notes that the database was made. */
  markDatabase(): Promise<void>;
}

/**
 * Opens the vault, undefined when there is none. A copied database file is of no use without it; whoever uses this
 * profile of the browser has both.
 *
 * @throws STORE_KEY_WRONG when what is kept does not open.
 */
export async function openVault(shelf: VaultShelf): Promise<Vault | undefined> {
  const record = await shelf.get();
  return record === undefined ? undefined : vaultOf(shelf, record);
}

/** Makes fresh secrets, writes them, and reads them back before anything rests on them. Throws STORE_FAILED. */
export async function makeVault(shelf: VaultShelf): Promise<Vault> {
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const secrets = crypto.getRandomValues(new Uint8Array(DATABASE_KEY_BYTES + WALLET_KEY_BYTES));
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, secrets));
  await shelf.put({ name: "self", key, iv, sealed, hasDatabase: false });
  const vault = await openVault(shelf);
  if (vault !== undefined) return vault;
  throw clientError(
    "STORE_FAILED",
    "this browser keeps nothing for this site; allow it to, or leave the private window",
  );
}

async function vaultOf(shelf: VaultShelf, record: VaultRecord): Promise<Vault> {
  const { key, iv, sealed, hasDatabase } = record;
  let secrets: Uint8Array;
  try {
    secrets = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, sealed));
  } catch (cause) {
    throw clientError("STORE_KEY_WRONG", "the keys that this browser keeps for this site do not open", { cause });
  }
  return {
    databaseKey: secrets.slice(0, DATABASE_KEY_BYTES),
    walletKey: secrets.slice(DATABASE_KEY_BYTES),
    hasDatabase,
    markDatabase: () => shelf.put({ ...record, hasDatabase: true }),
  };
}

/** A vault for as long as this worker lives, where a browser keeps no files. */
export function memoryShelf(): VaultShelf {
  let kept: VaultRecord | undefined;
  return {
    get: async () => kept,
    async put(record) {
      kept = record;
    },
  };
}

/** The vault in IndexedDB, which keeps a key without showing it. */
export function indexedDbShelf(name: string): VaultShelf {
  const shelf = keyedRecords<VaultRecord>(`${name}-vault`);
  return { get: () => shelf.get("self"), put: (record) => shelf.put(record) };
}
