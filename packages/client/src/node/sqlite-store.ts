import { closeSync, openSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../errors.ts";
import type { Store, TableName, Tables } from "../store/store.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "./sqlite-schema.ts";

type Value = Uint8Array | string | bigint | undefined;
type Row = Record<string, Value>;

const TABLES = [
  "identity",
  "keyPackages",
  "waitingWelcomes",
  "unsupportedGroups",
  "groups",
  "groupRows",
  "messages",
  "expiries",
  "outbox",
  "pendingCommits",
  "joins",
  "followUps",
  "identityUpdates",
  "rejections",
  "admissions",
  "leaveRequests",
] as const satisfies readonly TableName[];

/** Settings of a database file. */
export interface SqliteStoreOptions {
  /** Largest size of the file in pages of 4096 bytes; beyond it every write fails with STORE_FULL. */
  readonly maxPages?: number;
}

/**
 * Opens or creates the database of one installation: WAL, every commit synced to disk, deleted keys overwritten, held
 * by one process at a time.
 *
 * @throws STORE_VERSION for a file of a newer version, which is left as it is; STORE_FULL; STORE_FAILED.
 */
export function openSqliteStore(path: string, options: SqliteStoreOptions = {}): Store {
  return translated(() => {
    createPrivate(path);
    const database = new DatabaseSync(path);
    try {
      refuseNewer(database);
      // One process only: two would each turn the same ratchet and use a nonce twice.
      database.exec("PRAGMA locking_mode = EXCLUSIVE");
      database.exec("PRAGMA journal_mode = WAL");
      // FULL: a transaction that was reported done survives a power failure; a lost one could mean a nonce used twice.
      database.exec("PRAGMA synchronous = FULL");
      database.exec("PRAGMA secure_delete = ON");
      if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
      migrate(database);
      // The lock comes with the first write: take it now, so that a second process is told before it reads any key.
      database.exec("BEGIN EXCLUSIVE; COMMIT");
      return storeOn(database);
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Makes the file readable for its owner only: it holds private keys. An existing file keeps its mode. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, "a", 0o600));
  } catch (error) {
    throw clientError("STORE_FAILED", "the database file cannot be opened; check its path and permissions", {
      cause: error,
    });
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
}

function refuseNewer(database: DatabaseSync): void {
  const version = versionOf(database);
  if (version <= SCHEMA_VERSION) return;
  throw clientError(
    "STORE_VERSION",
    `the database is of version ${version}, this program knows up to ${SCHEMA_VERSION}; update the program`,
    { data: { version, supported: SCHEMA_VERSION } },
  );
}

function migrate(database: DatabaseSync): void {
  for (let version = versionOf(database); version < SCHEMA_VERSION; version++) {
    inTransaction(database, () => database.exec(`${MIGRATIONS[version] ?? ""}; PRAGMA user_version = ${version + 1}`));
  }
}

function inTransaction<T>(database: DatabaseSync, write: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = write();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite itself has rolled back already after some errors, a full disk among them.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** Runs `action` and gives errors of SQLite their code; errors of the family pass. */
function translated<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE") {
      throw clientError("CLIENT_CLOSED", "the client is closed; create it again", { cause: error });
    }
    if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") throw error;
    if (error instanceof LatchkeyError) throw error;
    const primary = error.errcode & 0xff;
    if (primary === SQLITE_FULL) {
      throw clientError("STORE_FULL", "the disk is full; nothing was written; free space and repeat", { cause: error });
    }
    if (primary === SQLITE_BUSY) {
      throw clientError("STORE_FAILED", "the database is open in another process; close it there and repeat", {
        retryable: true,
        cause: error,
      });
    }
    throw clientError("STORE_FAILED", `the database failed: ${error.message}`, { cause: error });
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** One table by its columns as SQLite knows them; statements are prepared once. */
class SqliteTable {
  readonly #database: DatabaseSync;
  readonly #name: string;
  readonly #columns: readonly { name: string; field: string }[];
  readonly #key: readonly string[];
  readonly #statements = new Map<string, StatementSync>();
  readonly #guard: () => void;

  /** `guard` throws outside of a transaction. */
  constructor(database: DatabaseSync, name: string, guard: () => void) {
    this.#database = database;
    this.#name = name;
    this.#guard = guard;
    const info = database.prepare(`PRAGMA table_info(${name})`).all();
    this.#columns = info.map((column) => ({
      name: `"${String(column["name"])}"`,
      field: camelCase(String(column["name"])),
    }));
    this.#key = info
      .filter((column) => Number(column["pk"]) > 0)
      .sort((a, b) => Number(a["pk"]) - Number(b["pk"]))
      .map((column) => `"${String(column["name"])}"`);
  }

  get(...key: Value[]): Row | undefined {
    return this.#select(this.#where(key), key)[0];
  }

  list(...prefix: Value[]): Row[] {
    return this.#select(this.#where(prefix), prefix);
  }

  listAfter(...key: Value[]): Row[] {
    return this.#select(this.#where(key).replace(/=( \?)$/, ">$1"), key);
  }

  put(row: Row): void {
    this.#guard();
    const names = this.#columns.map((column) => column.name).join(", ");
    const marks = this.#columns.map(() => "?").join(", ");
    this.#run(
      `INSERT OR REPLACE INTO ${this.#name} (${names}) VALUES (${marks})`,
      this.#columns.map((column) => row[column.field]),
    );
  }

  delete(...prefix: Value[]): void {
    this.#guard();
    this.#run(`DELETE FROM ${this.#name}${this.#where(prefix)}`, prefix);
  }

  #where(prefix: readonly Value[]): string {
    if (prefix.length === 0) return "";
    return ` WHERE ${this.#key.slice(0, prefix.length).join(" = ? AND ")} = ?`;
  }

  #select(where: string, values: readonly Value[]): Row[] {
    return translated(() =>
      this.#prepare(`SELECT * FROM ${this.#name}${where} ORDER BY ${this.#key.join(", ")}`)
        .all(...values.map((value) => value ?? null))
        .map((found) => {
          const row: Row = {};
          for (const [name, value] of Object.entries(found)) row[camelCase(name)] = (value ?? undefined) as Value;
          return row;
        }),
    );
  }

  #run(sql: string, values: readonly Value[]): void {
    translated(() => this.#prepare(sql).run(...values.map((value) => value ?? null)));
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function storeOn(database: DatabaseSync): Store {
  let writing = false;
  const guard = () => {
    if (!writing) throw clientError("STORE_FAILED", "a row was written outside of a transaction");
  };
  // The records of `store/records.ts` and the columns of the schema are the same by construction; a test compares them.
  const tables = Object.fromEntries(
    TABLES.map((name) => [name, new SqliteTable(database, snakeCase(name), guard)]),
  ) as unknown as Tables;
  return {
    ...tables,
    transaction(write) {
      if (writing) throw clientError("STORE_FAILED", "a transaction was begun inside of another one");
      writing = true;
      try {
        return translated(() => inTransaction(database, () => write(tables)));
      } finally {
        writing = false;
      }
    },
    close() {
      if (database.isOpen) database.close();
    },
  };
}
