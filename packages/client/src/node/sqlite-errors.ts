import { LatchkeyError } from "@latchkey/mls";
import { storeClosed } from "../store/misuse.ts";
import { diskFull, notWritable, sqliteError, storeFailed, storeRefused } from "../store/sql/errors.ts";

function fromSystem(error: Error, systemCode: string): LatchkeyError | undefined {
  switch (systemCode) {
    case "ERR_INVALID_STATE":
      return storeClosed(error);
    case "ENOENT":
      return storeFailed("the folder of the database is not there, or a link leads nowhere; make the folder", error);
    case "ENOTDIR":
      return storeFailed("a part of the database's path is not a folder; name another path", error);
    case "ENOSPC":
    case "EDQUOT":
      return diskFull(error);
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return notWritable(error);
    case "ERR_INVALID_ARG_TYPE":
    case "ERR_INVALID_ARG_VALUE":
    case "ERR_OUT_OF_RANGE":
      return storeRefused(error);
    default:
      return "syscall" in error ? storeFailed(`the database cannot be opened: ${systemCode}`, error) : undefined;
  }
}

/** Runs `action` and gives errors of node:sqlite and of the file system their code; all others pass. */
export function translated<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Error) || error instanceof LatchkeyError) throw error;
    if ("errcode" in error && typeof error.errcode === "number") throw sqliteError(error, error.errcode);
    if ("code" in error && typeof error.code === "string") throw fromSystem(error, error.code) ?? error;
    throw error;
  }
}
