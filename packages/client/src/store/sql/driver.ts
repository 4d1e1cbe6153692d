/** What a statement takes and returns; SQLite's INTEGER is always a bigint, between −2^63 and 2^63 − 1. */
export type SqlValue = Uint8Array | string | bigint | null;

/** A row by the names of its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** One prepared statement, which is used again and again until the database is closed. */
export interface SqlStatement {
  /** Runs to the end. */
  run(...values: readonly SqlValue[]): void;
  /** Runs to the end and returns all rows; their bytes are the caller's own, in buffers of exactly their length. */
  all(...values: readonly SqlValue[]): SqlRow[];
}

/**
 * One connection to an SQLite database, synchronous. The tables of a store need nothing else: node:sqlite fulfils it, and
 * so does SQLite in WebAssembly.
 *
 * Values are bound as they are: texts with NUL and a byte order mark, views of larger buffers, empty bytes, which are not
 * NULL. The driver copies the bytes before a call returns.
 *
 * @throws From every method: CLIENT_CLOSED behind `close`, and otherwise what `sqliteError` makes of SQLite's result code.
 */
export interface SqlDriver {
  readonly isOpen: boolean;
  /** Whether a transaction has been begun and neither committed nor rolled back; false when closed. */
  readonly isTransaction: boolean;
  /** Runs statements without values, one behind the other. */
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  /** Rolls back a transaction that is open. Idempotent. */
  close(): void;
}

/** Commits all of `write`, or undoes it and throws the same error. */
export function inTransaction<T>(driver: SqlDriver, write: () => T): T {
  driver.exec("BEGIN IMMEDIATE");
  try {
    const result = write();
    driver.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite itself has rolled back already after some errors, a full disk among them.
    if (driver.isTransaction) driver.exec("ROLLBACK");
    throw error;
  }
}
