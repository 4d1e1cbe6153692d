import type { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../../errors.ts";

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

/** STORE_FAILED for a database that cannot be opened or used; the text says what to do. */
export function storeFailed(text: string, cause: Error): LatchkeyError {
  return clientError("STORE_FAILED", text, { cause });
}

/** STORE_FAILED for a statement or value that the database refuses: a mistake of this program, and none of the disk. */
export function storeRefused(cause: Error): LatchkeyError {
  return clientError("STORE_FAILED", `the database refuses a statement: ${cause.message}`, { scope: "defect", cause });
}

/** STORE_FAILED for a file that this user may not write. */
export function notWritable(cause: Error): LatchkeyError {
  return storeFailed("the database file or its folder cannot be written; check the path and its permissions", cause);
}

/** STORE_FULL. */
export function diskFull(cause: Error): LatchkeyError {
  return clientError("STORE_FULL", "the disk is full; nothing was written; free space and repeat", { cause });
}

/** The error of the family for an extended result code of SQLite, whatever driver threw `error`. */
export function sqliteError(error: Error, resultCode: number): LatchkeyError {
  if (LOCK_FAILURES.has(resultCode)) {
    return storeFailed(
      "the database cannot be locked; make the file writable, and keep it on a disk of this machine",
      error,
    );
  }
  switch (resultCode & 0xff) {
    case RESULT.full:
      return diskFull(error);
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
      return notWritable(error);
    case RESULT.io:
      return storeFailed("the disk of the database failed; see to it, then repeat", error);
    default:
      return REFUSALS.has(resultCode & 0xff)
        ? storeRefused(error)
        : storeFailed(`the database failed: ${error.message}`, error);
  }
}
