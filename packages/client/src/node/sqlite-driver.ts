import { DatabaseSync } from "node:sqlite";
import type { SqlDriver, SqlRow, SqlStatement, SqlValue } from "../store/sql/driver.ts";
import { translated } from "./sqlite-errors.ts";

/** SQLite as Node brings it, on the file of that path or on ":memory:". Throws as every method of `SqlDriver`. */
export function nodeSqlDriver(path: string): SqlDriver {
  const database = translated(() => new DatabaseSync(path));
  return {
    get isOpen() {
      return database.isOpen;
    },
    get isTransaction() {
      return database.isOpen && database.isTransaction;
    },
    exec: (sql) => translated(() => database.exec(sql)),
    prepare(sql): SqlStatement {
      const statement = translated(() => database.prepare(sql));
      statement.setReadBigInts(true);
      return {
        run: (...values: SqlValue[]) => void translated(() => statement.run(...values)),
        all: (...values: SqlValue[]) => translated(() => statement.all(...values) as SqlRow[]),
      };
    },
    close() {
      if (database.isOpen) translated(() => database.close());
    },
  };
}
