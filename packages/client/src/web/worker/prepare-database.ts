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
} from "../../store/sql/database.ts";
import type { SqlDriver } from "../../store/sql/driver.ts";

/**
 * Makes a database ready that SQLite in WebAssembly has opened: locked, of this program, whole, of the present schema.
 * A new file becomes an empty database. `morePages` bounds the growth, in pages of 4096 bytes.
 *
 * No other program can copy such a file while it is open, so it never carries the mark for that.
 *
 * @throws STORE_LOCKED, STORE_DAMAGED, STORE_VERSION, STORE_FULL, STORE_FAILED; the file stays as it is.
 */
export function prepareDatabase(driver: SqlDriver, morePages?: number): void {
  configure(driver, {});
  driver.exec("BEGIN EXCLUSIVE; COMMIT");
  if (pragma(driver, "page_count") <= 1) setApplicationId(driver, APPLICATION_ID.closed);
  refuseForeign(driver);
  refuseDamaged(driver);
  // With the exclusive lock the index of the log is in memory: OPFS has no memory to share.
  driver.exec("PRAGMA journal_mode = WAL");
  migrate(driver);
  shrink(driver);
  if (morePages !== undefined) limitSize(driver, { maxPages: pragma(driver, "page_count") + morePages });
}
