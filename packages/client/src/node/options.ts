import type { Environment } from "../identity/environment.ts";
import type { DatabaseOptions } from "../store/sql/database.ts";

/** Where a client keeps its data and whom it talks to. */
export interface NodeClientOptions {
  /** Database file of this installation; made when it is not there. Its directory must exist. */
  readonly dbPath: string;
  /** 32 random bytes with which the database is encrypted; the same ones open it again. Default: it is not encrypted. */
  readonly dbEncryptionKey?: Uint8Array;
  /** Address of the delivery node. */
  readonly nodeUrl: string;
  /** Address of the invite service; default: the node. */
  readonly inviteServiceUrl?: string;
  /** See `Environment`. */
  readonly inviteBaseUrl?: string;
  /** See `Environment`. */
  readonly resolvePointer?: NonNullable<Environment["resolvePointer"]>;
  /** See `Environment`. */
  readonly loopbackHttp?: boolean;
  /** See `Environment`; default: true. */
  readonly keepInvitesFresh?: boolean;
  /** False: never answer a join by invite with a receipt; see `Environment`. */
  readonly joinReceipts?: boolean;
  /** See `Environment`; default: true. */
  readonly slotCredentials?: boolean;
  /** See `Environment`; default: false. */
  readonly padBlobs?: boolean;
  /** See `Environment`. */
  readonly onDefect?: NonNullable<Environment["onDefect"]>;
  /** See `Environment`. */
  readonly onMessageFailed?: NonNullable<Environment["onMessageFailed"]>;
  /** See `Environment`; default: false. */
  readonly renewOnRemoval?: boolean;
  readonly signal?: AbortSignal;
}

/** Settings of a database. */
export interface SqliteStoreOptions extends DatabaseOptions {
  /** 32 random bytes: rows are sealed with it on disk; see `CARRIERS` in `store/sealed-store.ts` for what stays readable. */
  readonly encryptionKey?: Uint8Array | undefined;
}

/** The key that a database has, and the one it gets. */
export interface DatabaseKeys {
  readonly from?: Uint8Array | undefined;
  readonly to?: Uint8Array | undefined;
}

/** The part of a viem `LocalAccount` that is needed. */
export interface MessageAccount {
  readonly address: string;
  signMessage(options: { message: string }): Promise<`0x${string}`>;
}
