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
import { clientError } from "../errors.ts";
import {
  APPLICATION_ID,
  configure,
  limitSize,
  migrate,
  pragma,
  refuseDamaged,
  refuseForeign,
  setApplicationId,
  shrink,
  type DatabaseOptions,
} from "../store/sql/database.ts";
import type { SqlDriver } from "../store/sql/driver.ts";
import { damaged } from "../store/sql/errors.ts";
import { nodeSqlDriver } from "./sqlite-driver.ts";

/** A database that this process holds. */
export interface DatabaseFile {
  readonly driver: SqlDriver;
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
export function openDatabaseFile(path: string, options: DatabaseOptions): DatabaseFile {
  if (!existsSync(path)) create(path, options);
  refuseNoFile(path);
  const file = realpathSync(path);
  // Nothing may open and close the file itself: that would drop the locks of whoever has it open in this process.
  for (const suffix of ["", "-wal", "-journal"]) makePrivate(`${file}${suffix}`);
  const log = `${file}-wal`;
  const hadLog = existsSync(log);
  const driver = nodeSqlDriver(file);
  try {
    configure(driver, options);
    refuseForeign(driver);
    refuseBroken(driver, hadLog ? undefined : statSync(file).size);
    driver.exec("PRAGMA journal_mode = WAL");
    migrate(driver);
    shrink(driver);
    if (pragma(driver, "application_id") !== APPLICATION_ID.open) setApplicationId(driver, APPLICATION_ID.open);
    driver.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    driver.close();
    if (hadLog) leaveLog(log);
    throw error;
  }
  return held(driver, log);
}

function held(driver: SqlDriver, log: string): DatabaseFile {
  const file: DatabaseFile = {
    driver,
    close() {
      openFiles.delete(file);
      if (!driver.isOpen) return;
      const isMarked = !driver.isTransaction && markClosed(driver);
      driver.close();
      if (!isMarked) leaveLog(log);
    },
  };
  if (openFiles.size === 0) process.off("exit", closeAll).on("exit", closeAll);
  openFiles.add(file);
  return file;
}

/** False when the disk is too full even for that. */
function markClosed(driver: SqlDriver): boolean {
  try {
    setApplicationId(driver, APPLICATION_ID.closed);
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
function create(path: string, options: DatabaseOptions): void {
  const temporary = `${path}.${randomBytes(8).toString("hex")}.new`;
  closeSync(openSync(temporary, "wx", 0o600));
  try {
    const driver = nodeSqlDriver(temporary);
    try {
      driver.exec("PRAGMA journal_mode = MEMORY");
      limitSize(driver, options);
      migrate(driver);
      setApplicationId(driver, APPLICATION_ID.closed);
      driver.exec("PRAGMA journal_mode = WAL");
    } finally {
      driver.close();
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

/** Throws STORE_DAMAGED; `size` is that of a file to which no log has anything to add. */
function refuseBroken(driver: SqlDriver, size: number | undefined): void {
  // With this comes the lock: a second process is told before it reads any key.
  driver.exec("BEGIN EXCLUSIVE; COMMIT");
  if (size !== undefined && pragma(driver, "application_id") === APPLICATION_ID.open) {
    throw damaged(
      "the database was copied while it was open, without the file beside it that ends in -wal; " +
        "close it and copy it again, or copy both files of a database that nothing has open",
    );
  }
  // SQLite itself takes what is missing at the end for zeros.
  if (size !== undefined && size < pragma(driver, "page_count") * pragma(driver, "page_size")) {
    throw damaged("the database is cut short; put back a copy that was made while it was closed");
  }
  refuseDamaged(driver);
}
