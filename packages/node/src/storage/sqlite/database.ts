import { randomInt } from "node:crypto";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { NodeError } from "../../errors.ts";
import { FileGuard } from "./file-guard.ts";
import { MIGRATIONS } from "./schema.ts";

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_MISUSE = 21;
const SQLITE_NOTADB = 26;

/** Files up to here are looked through for damage at every start: about a second for 1 GiB. */
const MAX_CHECKED_BYTES = 1024 ** 3;

function damaged(text: string, cause?: unknown): NodeError {
  return new NodeError("STORE_DAMAGED", `${text}; restore the back-up of the data directory`, { cause });
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  if ("code" in error && error.code === "ERR_INVALID_STATE") return SQLITE_MISUSE; // The database is closed.
  if (!("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff; // The low byte is the primary code, the rest says where it happened.
}

/** Runs a step of SQLite; throws NodeError `STORE_FULL`, `STORE_DAMAGED` or `STORE_FAILED` for its errors, others unchanged. */
function translated<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    const code = resultCode(cause);
    if (code === undefined) throw cause;
    if (code === SQLITE_FULL) {
      throw new NodeError("STORE_FULL", "the store is full, nothing was written; free disk space or raise its bound", {
        retryable: true,
        cause,
      });
    }
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB)
      throw damaged("node.sqlite is damaged, or no database", cause);
    throw new NodeError("STORE_FAILED", `the store failed with SQLite result code ${code}`, { retryable: true, cause });
  }
}

export type Row = Record<string, SQLOutputValue>;

/** A prepared statement whose integers are bigints and whose failures are NodeErrors. */
export class Statement {
  readonly #statement: StatementSync;
  readonly #guard: FileGuard;

  constructor(statement: StatementSync, guard: FileGuard) {
    statement.setReadBigInts(true);
    this.#statement = statement;
    this.#guard = guard;
  }

  /** Number of rows changed. */
  run(...values: SQLInputValue[]): bigint {
    return this.#translated(() => BigInt(this.#statement.run(...values).changes));
  }

  get(...values: SQLInputValue[]): Row | undefined {
    return this.#translated(() => this.#statement.get(...values));
  }

  all(...values: SQLInputValue[]): Row[] {
    return this.#translated(() => this.#statement.all(...values));
  }

  /** Rows one by one, so that a reader can stop before large ones are loaded. */
  *each(...values: SQLInputValue[]): Generator<Row> {
    const rows = this.#translated(() => this.#statement.iterate(...values));
    try {
      for (;;) {
        const next = this.#translated(() => rows.next());
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      rows.return?.(); // Ends the read transaction when the reader stops early.
    }
  }

  #translated<T>(step: () => T): T {
    try {
      return translated(step);
    } catch (error) {
      this.#guard.note(error);
      throw error;
    }
  }
}

/** An integer column. */
export function integer(row: Row, column: string): bigint {
  const value = row[column];
  if (typeof value !== "bigint") throw new NodeError("STORE_FAILED", `column ${column} holds no integer`);
  return value;
}

/** A bytes column. */
export function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new NodeError("STORE_FAILED", `column ${column} holds no bytes`);
  return value;
}

/** A text column. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new NodeError("STORE_FAILED", `column ${column} holds no text`);
  return value;
}

/** How a database is opened. */
export interface DatabaseOptions {
  readonly dataDir: string;
  /** 0 for no bound but the disk. */
  readonly maxBytes: number;
}

/** One SQLite file, held by one process. */
export class Database {
  readonly #database: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #guard: FileGuard;
  readonly #path: string;

  private constructor(path: string, database: DatabaseSync, lock: DatabaseSync) {
    const guard = new FileGuard(path, pragma(database, "application_id"));
    this.#path = path;
    this.#database = database;
    this.#lock = lock;
    this.#guard = guard;
  }

  /**
   * Opens or creates `node.sqlite` in the data directory.
   * @throws NodeError `STORE_LOCKED` when another process has it open, `STORE_VERSION` when a newer build wrote it,
   * `STORE_DAMAGED` when it is not whole, `STORE_FULL` and `STORE_FAILED`
   */
  static open({ dataDir, maxBytes }: DatabaseOptions): Database {
    makeDirectory(dataDir);
    const lock = acquireLock(join(dataDir, "node.lock"));
    try {
      const path = join(dataDir, "node.sqlite");
      const database = openFile(path, maxBytes);
      return new Database(path, database, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  prepare(sql: string): Statement {
    return translated(() => new Statement(this.#database.prepare(sql), this.#guard));
  }

  /** All or nothing. Throws `STORE_DAMAGED` when what was written went into a file that is no longer the database. */
  transaction<T>(work: () => T): T {
    this.#guard.check(); // A file that was cut is as long as before once it was written to.
    const result = transaction(this.#database, work);
    this.#guard.check();
    return result;
  }

  /** Throws NodeError `STORE_DAMAGED` when the files are no longer those that were opened, or SQLite found damage. */
  check(): void {
    this.#guard.check();
  }

  /**
   * Looks through the file for damage that nothing has read yet, in a thread of its own; files beyond 1 GiB are left out.
   * Throws `STORE_DAMAGED`, as everything does from then on.
   */
  async inspect(): Promise<void> {
    this.#guard.check();
    if ((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) > MAX_CHECKED_BYTES) return;
    const found = await inspectApart(this.#path);
    if (!this.#database.isOpen || found === undefined) return;
    this.#guard.note(damaged("node.sqlite was overwritten while the node was running", found));
    this.#guard.check();
  }

  /** Moves the write-ahead log into the file and closes. Idempotent. */
  close(): void {
    if (!this.#database.isOpen) return;
    try {
      // What is damaged is left as it is, for whoever restores it.
      if (!this.#guard.isDamaged) translated(() => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
    } finally {
      this.#database.close();
      this.#guard.close();
      this.#lock.close();
    }
  }
}

/** What is wrong with a database, as a thread of its own finds; what keeps it from looking is no damage. */
function inspectApart(path: string): Promise<string | undefined> {
  const worker = new Worker(new URL("./inspector.ts", import.meta.url), { workerData: path });
  worker.unref();
  return new Promise((resolve) => {
    worker.once("message", resolve);
    worker.once("error", () => resolve(undefined));
    worker.once("exit", () => resolve(undefined));
  });
}

function transaction<T>(database: DatabaseSync, work: () => T): T {
  translated(() => database.exec("BEGIN IMMEDIATE"));
  try {
    const result = work();
    translated(() => database.exec("COMMIT"));
    return result;
  } catch (error) {
    // A full disk has rolled back by itself.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new NodeError("STORE_FAILED", "the data directory cannot be created; check its path and permissions", {
      cause,
    });
  }
}

/** Held as long as the process lives: two nodes on one file would not wake each other's streams. */
function acquireLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path);
    lock.exec("BEGIN EXCLUSIVE");
    return lock;
  } catch (cause) {
    lock?.close();
    if (resultCode(cause) !== SQLITE_BUSY) {
      throw new NodeError("STORE_FAILED", "the lock file of the data directory cannot be used", { cause });
    }
    throw new NodeError("STORE_LOCKED", "another node uses this data directory; stop it first", { cause });
  }
}

function openFile(path: string, maxBytes: number): DatabaseSync {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === 0) throw damaged("node.sqlite is empty: delete it if no node ever ran here, or else");
  const database = translated(() => new DatabaseSync(path));
  try {
    chmodSync(path, 0o600);
    if (size !== undefined) refuseDamaged(database, size);
    // FULL: an acknowledged message must survive a power cut, or its id would be given twice.
    translated(() => database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000"));
    migrate(database);
    if (pragma(database, "application_id") === 0) giveId(database);
    if (maxBytes > 0) limitSize(database, maxBytes);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Throws STORE_DAMAGED for a file that is not whole or not a node's, rather than begin anew beside what was lost. */
function refuseDamaged(database: DatabaseSync, size: number): void {
  const tables = translated(() => Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]));
  if (tables > 0 && pragma(database, "user_version") === 0) throw damaged("node.sqlite belongs to another program");
  if (size > MAX_CHECKED_BYTES) return;
  const [verdict] = translated(() => database.prepare("PRAGMA quick_check(1)").all());
  if (verdict?.["quick_check"] !== "ok") throw damaged("node.sqlite is damaged", verdict);
}

/** A number of its own in the header of the file, where the guard looks for it. */
function giveId(database: DatabaseSync): void {
  const script = `PRAGMA application_id = ${randomInt(1, 2 ** 31)}; PRAGMA wal_checkpoint(TRUNCATE)`;
  translated(() => database.exec(script));
}

function pragma(database: DatabaseSync, name: "application_id" | "user_version" | "page_size"): number {
  return translated(() => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]));
}

function migrate(database: DatabaseSync): void {
  const version = pragma(database, "user_version");
  if (version > MIGRATIONS.length) {
    throw new NodeError(
      "STORE_VERSION",
      `the data directory has schema version ${version}, this build knows ${MIGRATIONS.length}; use the newer build`,
      { data: { found: version, supported: MIGRATIONS.length } },
    );
  }
  if (version === MIGRATIONS.length) return;
  transaction(database, () => {
    for (const script of MIGRATIONS.slice(version)) translated(() => database.exec(script));
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

function limitSize(database: DatabaseSync, maxBytes: number): void {
  const pages = Math.max(1, Math.floor(maxBytes / pragma(database, "page_size")));
  translated(() => database.exec(`PRAGMA max_page_count = ${pages}`));
}
