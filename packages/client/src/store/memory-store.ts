import { toHex } from "@latchkey/mls";
import { clientError } from "../errors.ts";
import { nestedTransaction, outsideOfTransaction, refuseLarge, storeClosed } from "./misuse.ts";
import { TABLE_KEYS, type AnyTable, type Row, type Store, type Tables, type Value } from "./store.ts";

/** Added to integers in keys, so that negative ones come first. */
const OFFSET = 2n ** 63n;

/** Digits of the largest integer in a key, so that text sorts as integers do. */
const NUMBER_DIGITS = 20;

/** Code units that do not sort as their UTF-8 does, and NUL, which ends the parts of a key. */
const OUT_OF_ORDER = /[\0\ud800-\uffff]/g;

/** The code unit at whose place this one sorts by UTF-8: behind U+FFFF when it is half of a larger code point. */
function inOrder(unit: string): string {
  if (unit === "\0") return "\0\u0001";
  const code = unit.charCodeAt(0);
  return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800);
}

function keyPart(value: Value): string {
  if (typeof value === "bigint") {
    refuseLarge(value);
    return (value + OFFSET).toString().padStart(NUMBER_DIGITS, "0");
  }
  return value instanceof Uint8Array ? toHex(value) : (value ?? "").toWellFormed().replace(OUT_OF_ORDER, inOrder);
}

/** Each part is ended by NUL and a second character that follows it in none of them: a prefix of parts is one of text. */
function keyOf(parts: readonly Value[]): string {
  return parts.map((part) => `${keyPart(part)}\0\0`).join("");
}

function copiedValue(value: Value): Value {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (typeof value === "bigint") refuseLarge(value);
  return typeof value === "string" ? value.toWellFormed() : value;
}

/** Nobody who reads or writes a row shares memory with the store. */
function copied(row: Row): Row {
  return Object.fromEntries(Object.entries(row).map(([field, value]) => [field, copiedValue(value)]));
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

/** The tables of one installation in memory: they last as long as this object, across openings. */
export class MemoryDatabase {
  readonly #tables = new Map<string, MemoryTable>(
    Object.entries(TABLE_KEYS).map(([name, fields]) => [name, new MemoryTable(fields)]),
  );
  #isHeld = false;

  /** Opens the store, until it is closed. Throws STORE_LOCKED while it is open already. */
  open(): Store {
    if (this.#isHeld) throw clientError("STORE_LOCKED", "the database is open in another place; close it there first");
    this.#isHeld = true;
    return openTables(this.#tables, () => {
      this.#isHeld = false;
    });
  }
}

/** How to take back the writes of a transaction, in their order. */
type UndoLog = (() => void)[];

function openTables(memory: ReadonlyMap<string, MemoryTable>, letGo: () => void): Store {
  let isOpen = true;
  let undoLog: UndoLog | undefined;
  const requireOpen = () => {
    if (!isOpen) throw storeClosed();
  };
  const rollBack = () => {
    for (const step of undoLog?.splice(0).reverse() ?? []) step();
  };
  const view = (table: MemoryTable): AnyTable => {
    const requireTransaction = (): UndoLog => {
      requireOpen();
      if (undoLog === undefined) throw outsideOfTransaction();
      return undoLog;
    };
    const write = (log: UndoLog, key: string, row: Row | undefined) => {
      const before = table.set(key, row);
      log.push(() => table.set(key, before));
    };
    return {
      get: (...key) => (requireOpen(), table.get(...key)),
      list: (...prefix) => (requireOpen(), table.list(...prefix)),
      listAfter: (...key) => (requireOpen(), table.listAfter(...key)),
      count: (...prefix) => (requireOpen(), table.keysWith(prefix).length),
      put: (row) => write(requireTransaction(), table.keyOfRow(row), copied(row)),
      delete: (...prefix) => {
        const log = requireTransaction();
        for (const key of table.keysWith(prefix)) write(log, key, undefined);
      },
    };
  };
  const views = [...memory].map(([name, table]): [string, AnyTable] => [name, view(table)]);
  const tables = Object.fromEntries(views) as unknown as Tables;
  return {
    ...tables,
    transaction(write) {
      requireOpen();
      if (undoLog !== undefined) throw nestedTransaction();
      undoLog = [];
      try {
        const result = write(tables);
        requireOpen();
        return result;
      } catch (error) {
        rollBack();
        throw error;
      } finally {
        undoLog = undefined;
      }
    },
    close() {
      if (!isOpen) return;
      rollBack();
      isOpen = false;
      letGo();
    },
  };
}
