/** A value of a column, as both databases have it. */
export type Value = bigint | string | Uint8Array;

export type TransferRow = Readonly<Record<string, Value>>;

/** A table that both databases have, by the same names. */
export interface Table {
  readonly name: string;
  /** Columns by name, with PostgreSQL's types; the key comes first. */
  readonly columns: Readonly<Record<string, "bigint" | "smallint" | "text" | "bytea">>;
  /** Number of columns of the key. */
  readonly keyLength: number;
  /** The column that may be large. */
  readonly large?: string;
  /** Whether the key is an id of a sequence: such rows never change, and are copied in their order. */
  readonly isSequence: boolean;
}

function log(name: string): Table {
  return {
    name,
    columns: {
      id: "bigint",
      created_ns: "bigint",
      kind: "smallint",
      topic: "bytea",
      digest: "bytea",
      payload: "bytea",
    },
    keyLength: 1,
    large: "payload",
    isSequence: true,
  };
}

/** Everything that a node keeps but the totals of the slots, which are counted anew. */
export const TABLES: readonly Table[] = [
  log("group_messages"),
  log("welcomes"),
  log("commit_log"),
  log("identity_updates"),
  {
    name: "identifiers",
    columns: { kind: "text", identifier: "text", inbox_id: "text", joined_at: "bigint" },
    keyLength: 3,
    isSequence: false,
  },
  {
    name: "key_packages",
    columns: { installation_key: "bytea", key_package: "bytea" },
    keyLength: 1,
    isSequence: false,
  },
  {
    name: "slot_blobs",
    columns: {
      id: "bigint",
      slot_id: "bytea",
      epoch: "bytea",
      digest: "bytea",
      expiry: "bytea",
      content_hash: "bytea",
      bytes: "bytea",
    },
    keyLength: 1,
    large: "bytes",
    isSequence: true,
  },
  {
    name: "slot_credentials",
    columns: { slot_id: "bytea", credential_hash: "bytea", written_ns: "bigint" },
    keyLength: 1,
    isSequence: false,
  },
];

/** Columns that are the key of a table. */
export function keyOf({ columns, keyLength }: Table): string[] {
  return Object.keys(columns).slice(0, keyLength);
}

/** Rows and bytes of one step; a step has at least one row. */
export const STEP = { rows: 500, bytes: 8 * 1024 * 1024 };

/** A node's database, as rows. */
export interface TransferStore {
  /** The next rows behind a key in its order, at most a step; from the first when the key is left out. */
  rowsAfter(table: Table, key: readonly Value[] | undefined): Promise<TransferRow[]>;
  /** The largest id of a table, 0 for none. */
  lastId(table: Table): Promise<bigint>;
  /** The digest or hash of the row with an id, to compare; undefined when there is no such row. */
  fingerprint(table: Table, id: bigint): Promise<Uint8Array | undefined>;
  /** Writes rows in one transaction; those with a known key are replaced. */
  write(table: Table, rows: readonly TransferRow[]): Promise<void>;
  /** The largest id that a table has given so far. */
  sequence(table: Table): Promise<bigint>;
  /** Makes ids begin behind a number; never goes back. */
  raiseSequence(table: Table, id: bigint): Promise<void>;
  /** Counts what is derived from the rows. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** The column that tells rows of one id apart. */
export function fingerprintColumn({ columns }: Table): string {
  return "content_hash" in columns ? "content_hash" : "digest";
}
