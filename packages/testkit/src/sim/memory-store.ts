import { toHex } from "@latchkey/mls";
import { TABLE_KEYS, type Store, type Table, type Tables } from "@latchkey/client";

type Value = Uint8Array | string | bigint | undefined;
type Row = Readonly<Record<string, Value>>;
type AnyTable = Table<Row, string[]>;

/** Digits of the largest number in a key, so that text sorts as numbers do. */
const NUMBER_DIGITS = 20;

function keyPart(value: Value): string {
  if (typeof value === "bigint") return value.toString().padStart(NUMBER_DIGITS, "0");
  return value instanceof Uint8Array ? toHex(value) : (value ?? "");
}

/** Each part is ended by a character that is in none of them, so that a prefix of parts is a prefix of text. */
function keyOf(parts: readonly Value[]): string {
  return parts.map((part) => `${keyPart(part)}\0`).join("");
}

/** Nobody who reads or writes a row shares memory with the store. */
function copied(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([field, value]) => [field, value instanceof Uint8Array ? value.slice() : value]),
  );
}

/** One table: rows by key, and the keys in order. */
class MemoryTable {
  readonly #fields: readonly string[];
  readonly #rows = new Map<string, Row>();
  readonly #sorted: string[] = [];

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  get(...key: Value[]): Row | undefined {
    const row = this.#rows.get(keyOf(key));
    return row === undefined ? undefined : copied(row);
  }

  list(...prefix: Value[]): Row[] {
    return this.#rowsOf(this.keysWith(prefix));
  }

  listAfter(...key: Value[]): Row[] {
    const after = keyOf(key);
    return this.#rowsOf(this.keysWith(key.slice(0, -1)).filter((candidate) => candidate > after));
  }

  keysWith(prefix: readonly Value[]): string[] {
    const start = keyOf(prefix);
    const keys: string[] = [];
    for (let at = this.#lowerBound(start); at < this.#sorted.length; at++) {
      const key = this.#sorted[at] ?? "";
      if (!key.startsWith(start)) break;
      keys.push(key);
    }
    return keys;
  }

  keyOfRow(row: Row): string {
    return keyOf(this.#fields.map((field) => row[field]));
  }

  /** Puts a row, or deletes it when undefined; returns what was there. */
  set(key: string, row: Row | undefined): Row | undefined {
    const before = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.delete(key)) this.#sorted.splice(this.#lowerBound(key), 1);
    } else {
      this.#rows.set(key, row);
      if (before === undefined) this.#sorted.splice(this.#lowerBound(key), 0, key);
    }
    return before;
  }

  #rowsOf(keys: readonly string[]): Row[] {
    return keys.flatMap((key) => {
      const row = this.#rows.get(key);
      return row === undefined ? [] : [copied(row)];
    });
  }

  /** Index of the first key that is not less. */
  #lowerBound(key: string): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

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

/** What is left of a process when it dies: every transaction that was completed, and nothing of any other. */
export class MemoryDisk {
  readonly #tables = new Map<string, MemoryTable>(
    Object.entries(TABLE_KEYS).map(([name, fields]) => [name, new MemoryTable(fields)]),
  );

  /** The disk as a process sees it; transactions undo themselves when their writer throws. */
  open(guard: StoreGuard): Store {
    let undo: (() => void)[] | undefined;
    const views = [...this.#tables].map(([name, table]): [string, AnyTable] => {
      const write = (key: string, row: Row | undefined) => {
        guard.access();
        if (undo === undefined) throw new Error("a row was written outside of a transaction");
        const before = table.set(key, row === undefined ? undefined : copied(row));
        undo.push(() => table.set(key, before));
      };
      const view: AnyTable = {
        get: (...key) => (guard.access(), table.get(...key)),
        list: (...prefix) => (guard.access(), table.list(...(prefix as Value[]))),
        listAfter: (...key) => (guard.access(), table.listAfter(...key)),
        count: (...prefix) => (guard.access(), table.keysWith(prefix).length),
        put: (row) => write(table.keyOfRow(row), row),
        delete: (...prefix) => {
          for (const key of table.keysWith(prefix)) write(key, undefined);
        },
      };
      return [name, view];
    });
    const tables = Object.fromEntries(views) as unknown as Tables;
    return {
      ...tables,
      transaction<T>(write: (tables: Tables) => T): T {
        guard.access();
        if (undo !== undefined) throw new Error("a transaction was begun inside of another one");
        const done: (() => void)[] = [];
        undo = done;
        const rollBack = () => done.reverse().forEach((step) => step());
        let result: T;
        try {
          result = write(tables);
          if (guard.decide() === "undo") rollBack();
        } catch (error) {
          rollBack();
          throw error;
        } finally {
          undo = undefined;
        }
        guard.written();
        return result;
      },
      close: () => undefined,
    };
  }

  /** The disk as it is, for looking at it. */
  look(): Store {
    return this.open({ access: () => undefined, decide: () => "keep", written: () => undefined });
  }
}
