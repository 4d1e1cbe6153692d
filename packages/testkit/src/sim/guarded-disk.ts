import { MemoryDatabase, TABLE_KEYS, type Store, type Table, type TableName, type Tables } from "@latchkey/client";

/** All tables. */
const TABLES = Object.keys(TABLE_KEYS) as TableName[];

/** The rows of a disk at one moment. */
export type DiskBackup = ReadonlyMap<TableName, readonly Readonly<Record<string, unknown>>[]>;

type AnyTable = Table<Readonly<Record<string, unknown>>, string[]>;

/** What becomes of a transaction whose writes are done: it is kept, or undone. */
export type Commit = "keep" | "undo";

/** Stands between a process and its disk. */
export interface StoreGuard {
  /** Throws when the process may not touch the disk. */
  access(): void;
  /** Decides when all rows of a transaction are written; what it throws undoes them. */
  decide(): Commit;
  /** The transaction is on disk. */
  written(): void;
}

/** Thrown through a transaction that is to be undone although its writer has ended well. */
class Undone extends Error {}

function guardedTable(table: AnyTable, guard: StoreGuard): AnyTable {
  /** The table, for a process that may touch it. */
  const accessed = (): AnyTable => {
    guard.access();
    return table;
  };
  return {
    get: (...key) => accessed().get(...key),
    list: (...prefix) => accessed().list(...prefix),
    listAfter: (...key) => accessed().listAfter(...key),
    count: (...prefix) => accessed().count(...prefix),
    put: (row) => accessed().put(row),
    delete: (...prefix) => accessed().delete(...prefix),
  };
}

function guardedTables<T extends Tables | Store>(tables: T, guard: StoreGuard): T {
  const entries = Object.entries(tables) as [string, unknown][];
  const guarded = entries.map(([name, table]) => {
    return [name, typeof table === "object" ? guardedTable(table as AnyTable, guard) : table];
  });
  return Object.fromEntries(guarded) as T;
}

/** What is left of a process when it dies: every transaction that was completed, and nothing of any other. */
export class GuardedDisk {
  readonly #store = new MemoryDatabase().open();

  /** The disk as one process sees it; closing it leaves it to the others. */
  open(guard: StoreGuard): Store {
    return {
      ...guardedTables(this.#store, guard),
      transaction: (write) => {
        guard.access();
        const result = this.#commit(guard, write);
        guard.written();
        return result;
      },
      close: () => undefined,
    };
  }

  /** What it holds now, for `restore`. */
  backUp(): DiskBackup {
    return new Map(TABLES.map((name) => [name, (this.#store[name] as unknown as AnyTable).list()]));
  }

  /** Holds again what it held when the backup was made; no process may be running on it. */
  restore(backup: DiskBackup): void {
    this.#store.transaction((tables) => {
      for (const [name, rows] of backup) {
        const table = tables[name] as unknown as AnyTable;
        table.delete();
        for (const row of rows) table.put(row);
      }
    });
  }

  /** The disk as it is, for looking at it. */
  look(): Store {
    return this.#store;
  }

  #commit<T>(guard: StoreGuard, write: (tables: Tables) => T): T {
    let undone: { readonly result: T } | undefined;
    try {
      return this.#store.transaction((tables) => {
        const result = write(guardedTables(tables, guard));
        if (guard.decide() === "keep") return result;
        undone = { result };
        throw new Undone();
      });
    } catch (error) {
      if (undone === undefined || !(error instanceof Undone)) throw error;
      return undone.result;
    }
  }
}
