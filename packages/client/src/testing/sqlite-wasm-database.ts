import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import { sqlStore } from "../store/sql/sql-store.ts";
import type { Store } from "../store/store.ts";
import { prepareDatabase } from "../web/worker/prepare-database.ts";
import { sqliteWasmDriver } from "../web/worker/sqlite-wasm-driver.ts";
import type { StoreFixture } from "./store-cases/store-case.ts";

/** Pages of 4096 bytes that a small database may have more: 4 MiB. */
const SMALL_PAGES = 1024;

/** Makes new databases of SQLite in WebAssembly, on files in its memory. */
export async function sqliteWasmDatabases(): Promise<() => Required<StoreFixture>> {
  const sqlite3 = await sqlite3InitModule();
  // What goes wrong is thrown; the suite makes it go wrong.
  sqlite3.config.warn = () => undefined;
  let made = 0;
  return () => {
    const file = `/store-${made++}.db`;
    const open = (morePages?: number): Store => {
      const driver = sqliteWasmDriver(sqlite3, file, "unix");
      try {
        prepareDatabase(driver, morePages);
        return sqlStore(driver);
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
