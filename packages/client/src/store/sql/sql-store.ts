import { nestedTransaction, outsideOfTransaction } from "../misuse.ts";
import { TABLE_KEYS, type Store, type Tables } from "../store.ts";
import { inTransaction, type SqlDriver } from "./driver.ts";
import { LogEmptier } from "./log-emptier.ts";
import { snakeCase, SqlTable } from "./table.ts";

/** A store on a database that is open, of the present version, and in nobody else's hands; `close` closes it. */
export function sqlStore(driver: SqlDriver, close: () => void = () => driver.close()): Store {
  const emptier = new LogEmptier(driver);
  let writing = false;
  const guard = () => {
    if (!writing) throw outsideOfTransaction();
  };
  // The records of `store/records.ts` and the columns of the schema are the same by construction; a test compares them.
  const tables = Object.fromEntries(
    Object.keys(TABLE_KEYS).map((name) => [name, new SqlTable(driver, snakeCase(name), guard)]),
  ) as unknown as Tables;
  return {
    ...tables,
    transaction(write) {
      if (writing) throw nestedTransaction();
      writing = true;
      try {
        return inTransaction(driver, () => write(tables));
      } finally {
        writing = false;
        if (driver.isOpen) emptier.wrote();
      }
    },
    close() {
      emptier.stop();
      close();
    },
  };
}
