import { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../errors.ts";

/** Primary result codes of SQLite that say what is the matter. */
const RESULT = {
  perm: 3,
  busy: 5,
  readOnly: 8,
  io: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

/** Primary result codes for statements and values that are wrong: too big, constraint, mismatch, misuse, range. */
const REFUSALS: ReadonlySet<number> = new Set([18, 19, 20, 21, 25]);

/** Extended result codes of locks that the file system does not give: read lock, unlock, reserved lock, lock. */
const LOCK_FAILURES: ReadonlySet<number> = new Set([2314, 2058, 3594, 3850]);

/** Why a database cannot be used; the text says what to do. */
export function damaged(text: string, cause?: unknown): LatchkeyError {
  return clientError("STORE_DAMAGED", text, cause === undefined ? {} : { cause });
}

function storeFailed(text: string, cause: Error): LatchkeyError {
  return clientError("STORE_FAILED", text, { cause });
}

/** The database refuses what it was given: a mistake of this program, and none of the disk. */
function storeRefused(cause: Error): LatchkeyError {
  return clientError("STORE_FAILED", `the database refuses a statement: ${cause.message}`, { scope: "defect", cause });
}

const NOT_WRITABLE = "the database file or its folder cannot be written; check the path and its permissions";
const DISK_FULL = "the disk is full; nothing was written; free space and repeat";

function fromSqlite(error: Error, resultCode: number): LatchkeyError {
  if (LOCK_FAILURES.has(resultCode)) {
    return storeFailed(
      "the database cannot be locked; make the file writable, and keep it on a disk of this machine",
      error,
    );
  }
  switch (resultCode & 0xff) {
    case RESULT.full:
      return clientError("STORE_FULL", DISK_FULL, { cause: error });
    case RESULT.busy:
      return clientError("STORE_LOCKED", "the database is open in another place; close it there and repeat", {
        cause: error,
      });
    case RESULT.notADatabase:
      return damaged("the file is no database; name another path, or put the database back", error);
    case RESULT.corrupt:
      return damaged("the database is damaged; put back a copy that was made while it was closed", error);
    case RESULT.perm:
    case RESULT.readOnly:
    case RESULT.cannotOpen:
      return storeFailed(NOT_WRITABLE, error);
    case RESULT.io:
      return storeFailed("the disk of the database failed; see to it, then repeat", error);
    default:
      return REFUSALS.has(resultCode & 0xff)
        ? storeRefused(error)
        : storeFailed(`the database failed: ${error.message}`, error);
  }
}

function fromSystem(error: Error, systemCode: string): LatchkeyError | undefined {
  switch (systemCode) {
    case "ERR_INVALID_STATE":
      return clientError("CLIENT_CLOSED", "the client is closed; create it again", { cause: error });
    case "ENOENT":
      return storeFailed("the folder of the database is not there, or a link leads nowhere; make the folder", error);
    case "ENOTDIR":
      return storeFailed("a part of the database's path is not a folder; name another path", error);
    case "ENOSPC":
    case "EDQUOT":
      return clientError("STORE_FULL", DISK_FULL, { cause: error });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return storeFailed(NOT_WRITABLE, error);
    case "ERR_INVALID_ARG_TYPE":
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_OUT_OF_RANGE":
      return storeRefused(error);
    default:
      return "syscall" in error ? storeFailed(`the database cannot be opened: ${systemCode}`, error) : undefined;
  }
}

/** Runs `action` and gives errors of SQLite and of the file system their code; all others pass. */
export function translated<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof LatchkeyError) throw error;
    if ("errcode" in error && typeof error.errcode === "number") throw fromSqlite(error, error.errcode);
    if ("code" in error && typeof error.code === "string") throw fromSystem(error, error.code) ?? error;
    throw error;
  }
}
