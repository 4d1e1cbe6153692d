import type { Database, PreparedStatement, Sqlite3Static } from "@sqlite.org/sqlite-wasm";
import { decodeUtf8 } from "@latchkey/mls";
import type { SqlDriver, SqlRow, SqlStatement, SqlValue } from "../../store/sql/driver.ts";
import { storeClosed } from "../../store/misuse.ts";
import { sqliteError, storeRefused } from "../../store/sql/errors.ts";

/** SQLite in WebAssembly on a file of the virtual file system `vfs`, made when it is not there. */
export function sqliteWasmDriver(sqlite3: Sqlite3Static, file: string, vfs: string): SqlDriver {
  const { capi, oo1 } = sqlite3;
  /** Runs `action` and gives its errors their code. */
  const translated = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      if (error instanceof sqlite3.SQLite3Error) throw sqliteError(error, error.resultCode);
      throw error;
    }
  };
  const database: Database = translated(() => new oo1.DB(file, "c", vfs));
  const requireOpen = () => {
    if (!database.isOpen()) throw storeClosed();
  };
  const bound = (statement: PreparedStatement, values: readonly SqlValue[]): void => {
    values.forEach((value, index) => bind(statement, index + 1, value));
  };
  const bind = (statement: PreparedStatement, index: number, value: SqlValue): void => {
    if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) {
      throw storeRefused(new RangeError("the integer needs more than 64 bits"));
    }
    // Without its type an empty array would be bound as text, or a view as its whole buffer.
    if (value instanceof Uint8Array) statement.bindAsBlob(index, new Uint8Array(value));
    else statement.bind(index, value);
  };
  const column = (statement: PreparedStatement, index: number): SqlValue => {
    const { pointer } = statement;
    if (pointer === undefined) throw storeClosed();
    switch (capi.sqlite3_column_type(pointer, index)) {
      case capi.SQLITE_NULL:
        return null;
      case capi.SQLITE_INTEGER:
        return capi.sqlite3_column_int64(pointer, index);
      case capi.SQLITE_BLOB:
        return new Uint8Array(statement.getBlob(index) ?? []);
      default:
        // As bytes: `getString` ends at NUL and drops a byte order mark.
        return decodeUtf8(statement.getBlob(index) ?? new Uint8Array(0));
    }
  };
  return {
    get isOpen() {
      return database.isOpen();
    },
    get isTransaction() {
      return database.isOpen() && database.pointer !== undefined && capi.sqlite3_get_autocommit(database.pointer) === 0;
    },
    exec(sql) {
      requireOpen();
      translated(() => database.exec(sql));
    },
    prepare(sql): SqlStatement {
      requireOpen();
      const statement = translated(() => database.prepare(sql));
      /** Binds, steps to the end, and leaves the statement ready for the next time. */
      const stepped = (values: readonly SqlValue[], visit: () => void): void => {
        requireOpen();
        translated(() => {
          try {
            bound(statement, values);
            while (statement.step()) visit();
          } finally {
            statement.reset(true);
          }
        });
      };
      return {
        run: (...values) => stepped(values, () => undefined),
        all(...values) {
          const rows: SqlRow[] = [];
          stepped(values, () => {
            const names = statement.getColumnNames();
            rows.push(Object.fromEntries(names.map((name, index) => [name, column(statement, index)])));
          });
          return rows;
        },
      };
    },
    close: () => database.close(),
  };
}
