import { TABLE_NAMES } from "../../store/sealed-store.ts";
import { TABLE_KEYS, type AnyTable, type Row, type Store, type TableName, type Value } from "../../store/store.ts";

/**
 * What only some databases can be made to do in a test.
 *
 * - `lock`: opening a database that is open is refused.
 * - `full`: the room for a database can be bounded.
 * - `damage`: a closed database can be damaged so that opening finds it.
 */
export type StoreAbility = "lock" | "full" | "damage";

/** One database under test, empty and closed at first; it keeps its data while it is closed. */
export interface StoreFixture {
  /** Opens the database, the same one each time. */
  open(): Store;
  /** `full`: opens it with room for one to eight mebibytes more. */
  openSmall?(): Store;
  /** `damage`: damages the closed database. */
  damage?(): void;
}

/** One thing that every store has to do; throws when the database of the fixture does not. */
export interface StoreCase {
  readonly title: string;
  /** The case makes sense for databases with this ability only. */
  readonly needs?: StoreAbility;
  readonly run: (fixture: StoreFixture) => void;
}

/** Tables by name, for code that treats all alike. */
export function tablesOf(store: object): Readonly<Record<TableName, AnyTable>> {
  return store as Record<TableName, AnyTable>;
}

/** A title for errors, a table's key fields, and one of its rows. */
export interface Subject {
  readonly name: TableName;
  readonly keys: readonly string[];
  readonly row: Row;
}

/** The subjects of a case that goes through all tables. */
export function subjects(rows: Readonly<Record<TableName, readonly object[]>>): Subject[] {
  return TABLE_NAMES.flatMap((name) =>
    rows[name].map((row) => ({ name, keys: TABLE_KEYS[name], row: otherName(name, row as Row) })),
  );
}

/** A row of a name that opening does not look for, so that a case may write to the table of the keys. */
function otherName(name: TableName, row: Row): Row {
  return name === "encryption" ? { ...row, name: "sample" } : row;
}

/** Values of each kind that are easily changed by what stores them, ascending as all stores sort them. */
export const ASCENDING: Readonly<Record<"bytes" | "text" | "integer", readonly Value[]>> = {
  bytes: [[], [0], [0, 0], [0, 1], [1], [1, 0], [0x7f], [0x80], [0xff], [0xff, 0], [0xff, 0xff]].map((bytes) =>
    Uint8Array.from(bytes),
  ),
  // By their UTF-8, in which a code point above U+FFFF comes behind all others; UTF-16 would have it before U+E000.
  text: ["", "\0", "\0a", " ", "a", "a\0", "a\0b", "aa", "\ud7ff", "\ue000", "\ufeffa", "\uffff", "\u{10000}"],
  integer: [-(2n ** 63n), -1n, 0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n],
};

/** Values like this one: of its kind, ascending. */
export function valuesLike(value: Value): readonly Value[] {
  if (value instanceof Uint8Array) return ASCENDING.bytes;
  return typeof value === "string" ? ASCENDING.text : ASCENDING.integer;
}

/** The values of a row's key. */
export function keyOf(row: Row, keys: readonly string[]): Value[] {
  return keys.map((field) => row[field]);
}

/** The same items in another order, always the same one. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item, index) => ({ item, rank: (index * 7) % 11 }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
