import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import {
  APPLICATION_ID,
  configure,
  limitSize,
  migrate,
  pragma,
  refuseDamaged,
  refuseForeign,
  setApplicationId,
} from "../store/sql/database.ts";
import type { SqlDriver } from "../store/sql/driver.ts";
import { sqlStore } from "../store/sql/sql-store.ts";
import type { Store } from "../store/store.ts";
import { sqliteWasmDriver } from "./sqlite-wasm-driver.ts";
import type { StoreFixture } from "./store-cases/store-case.ts";

/** Pages of 4096 bytes that a small database may have more: 4 MiB. */
const SMALL_PAGES = 1024;

/** What a browser does with a file of its own, step by step. */
function storeOn(driver: SqlDriver, morePages: number | undefined): Store {
  configure(driver, {});
  driver.exec("BEGIN EXCLUSIVE; COMMIT");
  if (pragma(driver, "page_count") <= 1) setApplicationId(driver, APPLICATION_ID.closed);
  refuseForeign(driver);
  refuseDamaged(driver);
  driver.exec("PRAGMA journal_mode = WAL");
  migrate(driver);
  if (morePages !== undefined) limitSize(driver, { maxPages: pragma(driver, "page_count") + morePages });
  return sqlStore(driver);
}

/** Makes new databases of SQLite in WebAssembly, on files in its memory. */
export async function sqliteWasmDatabases(): Promise<() => Required<StoreFixture>> {
  const sqlite3 = await sqlite3InitModule();
  // What goes wrong is thrown; the suite makes it go wrong.
  sqlite3.config.warn = () => undefined;
  let made = 0;
  return () => {
    const file = `/store-${made++}.db`;
    const open = (morePages?: number): Store => {
      const driver = sqliteWasmDriver(sqlite3, file);
      try {
        return storeOn(driver, morePages);
      } catch (error) {
        driver.close();
        throw error;
      }
    };
    return {
      open: () => open(),
      openSmall: () => open(SMALL_PAGES),
      damage() {
        const database = new sqlite3.oo1.DB(file, "w", "unix");
        const bytes = sqlite3.capi.sqlite3_js_db_export(database);
        database.close();
        sqlite3.capi.sqlite3_js_posix_create_file(file, bytes.fill(0x5a, bytes.length / 2, (bytes.length / 4) * 3));
      },
    };
  };
}
