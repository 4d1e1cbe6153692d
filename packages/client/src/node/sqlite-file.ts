import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { damaged } from "./sqlite-errors.ts";
import { MIGRATIONS, SCHEMA_VERSION } from "../store/sql/schema.ts";

/**
 * SQLite's application id says whose a file is, "LKdb"; while a process has it open it says "LKop". A file that says so
 * without its write-ahead log beside it was copied while it was open: it lacks what stood in that log, and going on from
 * there would use message keys a second time.
 */
const APPLICATION_ID = { closed: 0x4c4b6462, open: 0x4c4b6f70 } as const;

/** Settings of a database file. */
export interface FileOptions {
  /** Largest size of the file in pages of 4096 bytes; beyond it every write fails with STORE_FULL. */
  readonly maxPages?: number;
}

/** A database that this process holds. */
export interface DatabaseFile {
  readonly database: DatabaseSync;
  /** Moves everything into the file and lets go of it. Idempotent. */
  close(): void;
}

/** Files still open, to be closed properly when the process ends without closing them. */
const openFiles = new Set<DatabaseFile>();

function closeAll(): void {
  for (const file of openFiles) file.close();
}

/**
 * Opens or makes the file of a database: whole, of this program, of a version it knows, and in no other hands. What
 * cannot be opened is left as it is.
 *
 * Looks through the whole file for damage, which takes about a second for each gigabyte that is cached.
 */
export function openDatabaseFile(path: string, options: FileOptions): DatabaseFile {
  if (!existsSync(path)) create(path, options);
  refuseNoFile(path);
  const file = realpathSync(path);
  // Nothing may open and close the file itself: that would drop the locks of whoever has it open in this process.
  for (const suffix of ["", "-wal", "-journal"]) makePrivate(`${file}${suffix}`);
  const log = `${file}-wal`;
  const hadLog = existsSync(log);
  const database = new DatabaseSync(file);
  try {
    configure(database, options);
    refuseForeign(database);
    refuseDamaged(database, hadLog ? undefined : statSync(file).size);
    database.exec("PRAGMA journal_mode = WAL");
    migrate(database);
    shrink(database);
    if (pragma(database, "application_id") !== APPLICATION_ID.open) setApplicationId(database, APPLICATION_ID.open);
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    database.close();
    if (hadLog) leaveLog(log);
    throw error;
  }
  return held(database, log);
}

function held(database: DatabaseSync, log: string): DatabaseFile {
  const file: DatabaseFile = {
    database,
    close() {
      openFiles.delete(file);
      if (!database.isOpen) return;
      const isMarked = !database.isTransaction && markClosed(database);
      database.close();
      if (!isMarked) leaveLog(log);
    },
  };
  if (openFiles.size === 0) process.off("exit", closeAll).on("exit", closeAll);
  openFiles.add(file);
  return file;
}

/** False when the disk is too full even for that. */
function markClosed(database: DatabaseSync): boolean {
  try {
    setApplicationId(database, APPLICATION_ID.closed);
    return true;
  } catch {
    return false;
  }
}

/** Leaves a file beside a database that still says it is open, so that nobody takes it for a copy. */
function leaveLog(log: string): void {
  try {
    closeSync(openSync(log, "a", 0o600));
  } catch {
    // The next opening says what to do.
  }
}

/**
 * Makes a new database under another name and gives it its own when it is whole: a file of that name is never one
 * that somebody is about to fill, so an empty one is known to have lost its content. Readable for its owner only: the
 * files that SQLite puts beside it get the same mode. Its log syncs the folder.
 */
function create(path: string, options: FileOptions): void {
  const temporary = `${path}.${randomBytes(8).toString("hex")}.new`;
  closeSync(openSync(temporary, "wx", 0o600));
  try {
    const database = new DatabaseSync(temporary);
    try {
      database.exec("PRAGMA journal_mode = MEMORY");
      limitSize(database, options);
      migrate(database);
      setApplicationId(database, APPLICATION_ID.closed);
      database.exec("PRAGMA journal_mode = WAL");
    } finally {
      database.close();
    }
    giveName(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Two processes may get here at once: the second one goes on with the file of the first. */
function giveName(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return;
    // A file system without hard links.
    renameSync(temporary, path);
  }
}

function refuseNoFile(path: string): void {
  const stats = statSync(path);
  if (!stats.isFile())
    throw clientError("STORE_FAILED", "the path of the database is not that of a file; name another");
  if (stats.size > 0) return;
  throw damaged("the database file is empty, it has lost its content; put back a copy, or delete it to begin anew");
}

/** Takes reading and writing from everybody but the owner, on file systems that know of owners. */
function makePrivate(path: string): void {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o077) === 0) return;
  try {
    chmodSync(path, mode & 0o700);
  } catch {
    // The file belongs to somebody else, or its disk has no modes: whoever put it there decided who reads it.
  }
}

function limitSize(database: DatabaseSync, { maxPages }: FileOptions): void {
  if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`);
}

function configure(database: DatabaseSync, options: FileOptions): void {
  // One process only: two would each turn the same ratchet and use a nonce twice.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  // FULL: a transaction that was reported done survives a power failure; a lost one could mean a nonce used twice.
  database.exec("PRAGMA synchronous = FULL");
  // What is deleted is overwritten, and nothing is written outside of the database and its log.
  database.exec("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");
  limitSize(database, options);
}

function pragma(
  database: DatabaseSync,
  name: "application_id" | "freelist_count" | "page_count" | "page_size" | "user_version",
): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function setApplicationId(database: DatabaseSync, id: number): void {
  database.exec(`PRAGMA application_id = ${id}`);
}

/** Throws STORE_DAMAGED for the database of another program, STORE_VERSION for one of a newer version of this one. */
function refuseForeign(database: DatabaseSync): void {
  const version = pragma(database, "user_version");
  const id = pragma(database, "application_id");
  // Before they had an application id, databases had a version.
  const isOurs = id === APPLICATION_ID.closed || id === APPLICATION_ID.open || (id === 0 && version > 0);
  if (!isOurs) throw damaged("the file is the database of another program; name another path");
  if (version <= SCHEMA_VERSION) return;
  throw clientError(
    "STORE_VERSION",
    `the database is of version ${version}, this program knows up to ${SCHEMA_VERSION}; update the program`,
    { data: { version, supported: SCHEMA_VERSION } },
  );
}

/** Throws STORE_DAMAGED; `size` is that of a file to which no log has anything to add. */
function refuseDamaged(database: DatabaseSync, size: number | undefined): void {
  // With this comes the lock: a second process is told before it reads any key.
  database.exec("BEGIN EXCLUSIVE; COMMIT");
  if (size !== undefined && pragma(database, "application_id") === APPLICATION_ID.open) {
    throw damaged(
      "the database was copied while it was open, without the file beside it that ends in -wal; " +
        "close it and copy it again, or copy both files of a database that nothing has open",
    );
  }
  // SQLite itself takes what is missing at the end for zeros.
  const isShort = size !== undefined && size < pragma(database, "page_count") * pragma(database, "page_size");
  const [verdict] = isShort ? [] : database.prepare("PRAGMA quick_check(1)").all();
  if (verdict?.["quick_check"] === "ok") return;
  throw damaged("the database is damaged; put back a copy that was made while it was closed", verdict);
}

function migrate(database: DatabaseSync): void {
  for (let version = pragma(database, "user_version"); version < SCHEMA_VERSION; version++) {
    inTransaction(database, () => database.exec(`${MIGRATIONS[version] ?? ""}; PRAGMA user_version = ${version + 1}`));
  }
}

/** Gives room back to the disk when most of the file is empty; otherwise the next rows fill it. */
function shrink(database: DatabaseSync): void {
  const free = pragma(database, "freelist_count");
  if (free < CLIENT_LIMITS.minFreePages || free * 2 < pragma(database, "page_count")) return;
  try {
    database.exec("VACUUM");
  } catch {
    // It takes room for a second copy; without it the file stays as large as it is.
  }
}

/** All of `write` or nothing. */
export function inTransaction<T>(database: DatabaseSync, write: () => T): T {
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
