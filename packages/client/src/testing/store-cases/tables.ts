import type { AnyTable, Row, Value } from "../../store/store.ts";
import { expectEqual } from "../expect.ts";
import { SAMPLE_ROWS } from "../sample-rows.ts";
import { keyOf, shuffled, subjects, tablesOf, valuesLike, type StoreCase, type Subject } from "./store-case.ts";

const ALL = subjects(SAMPLE_ROWS);

/** One subject a table, but for the table whose row opening needs. */
const TABLES = ALL.filter(
  ({ name }, index) => name !== "encryption" && ALL.findIndex((other) => other.name === name) === index,
);

/** Rows that differ in one field of the key only, ascending. */
function rowsAlong({ row }: Subject, field: string): Row[] {
  return valuesLike(row[field]).map((value) => ({ ...row, [field]: value }));
}

function expectReads(table: AnyTable, subject: Subject, position: number): void {
  const { name, keys } = subject;
  const field = keys[position] ?? "";
  const rows = rowsAlong(subject, field);
  const what = `${name} along ${field}`;
  expectEqual(table.list(), rows, `${what}, list()`);
  expectEqual(table.count(), rows.length, `${what}, count()`);
  rows.forEach((row, index) => {
    const key = keyOf(row, keys);
    expectEqual(table.get(...key), row, `${what}, get`);
    expectEqual(table.list(...key.slice(0, position + 1)), [row], `${what}, list of a prefix`);
    expectEqual(table.count(...key.slice(0, position + 1)), 1, `${what}, count of a prefix`);
    if (position < keys.length - 1) return;
    expectEqual(table.listAfter(...key), rows.slice(index + 1), `${what}, listAfter`);
  });
  if (position > 0) expectEqual(table.list(...keyOf(subject.row, keys.slice(0, position))), rows, `${what}, below`);
}

function eachPosition(visit: (subject: Subject, position: number) => void): void {
  for (const subject of TABLES) subject.keys.forEach((_, position) => visit(subject, position));
}

const ordering: StoreCase = {
  title: "rows of every table come in the order of their keys, whatever the order of writing",
  run(fixture) {
    const store = fixture.open();
    eachPosition((subject, position) => {
      const field = subject.keys[position] ?? "";
      store.transaction((tables) => {
        const table = tablesOf(tables)[subject.name];
        table.delete();
        for (const row of shuffled(rowsAlong(subject, field))) table.put(row);
      });
      expectReads(tablesOf(store)[subject.name], subject, position);
    });
    store.close();
  },
};

const neighbours: StoreCase = {
  title: "a prefix of a key takes whole fields: neighbours stay apart when they are read, counted and deleted",
  run(fixture) {
    const store = fixture.open();
    store.transaction((tables) => {
      for (const subject of TABLES.filter(({ keys }) => keys.length > 1)) {
        const { name, keys, row } = subject;
        const table = tablesOf(tables)[name];
        const [first = "", second = ""] = keys;
        const groups = rowsAlong(subject, first);
        const inside = (group: Row): Row[] => [group, { ...group, [second]: valuesLike(row[second]).at(-1) }];
        const all = groups.flatMap(inside);
        for (const one of shuffled(all)) table.put(one);
        for (const group of groups) {
          const found = table.list(group[first]);
          expectEqual(found.length, table.count(group[first]), `${name}, count of a prefix`);
          expectEqual(
            found,
            all.filter((one) => one[first] === group[first]),
            `${name}, list of a prefix`,
          );
        }
        const [gone, ...left] = groups;
        table.delete(gone?.[first]);
        expectEqual(table.list(), left.flatMap(inside), `${name}, delete of a prefix`);
        const [lost = {}, ...rest] = left.flatMap(inside);
        table.delete(...keyOf(lost, keys));
        expectEqual(table.list(), rest, `${name}, delete of one row`);
        table.delete(...keyOf(lost, keys));
        expectEqual(table.count(), rest.length, `${name}, delete of nothing`);
        table.delete();
        expectEqual(table.list(), [], `${name}, delete of all`);
      }
    });
    store.close();
  },
};

const absent: StoreCase = {
  title: "what is not there reads as undefined, nothing, and zero; listAfter takes keys that are not there",
  run(fixture) {
    const store = fixture.open();
    for (const subject of TABLES) {
      const { name, keys } = subject;
      const table = tablesOf(store)[name];
      const key = keyOf(subject.row, keys);
      expectEqual(table.get(...key), undefined, `${name}, get`);
      expectEqual(table.list(), [], `${name}, list`);
      expectEqual(table.list(...key), [], `${name}, list of a key`);
      expectEqual(table.listAfter(...key), [], `${name}, listAfter`);
      expectEqual(table.count(), 0, `${name}, count`);
      const rows = rowsAlong(subject, keys.at(-1) ?? "");
      store.transaction((tables) => rows.forEach((row, index) => index % 2 === 1 && tablesOf(tables)[name].put(row)));
      rows.forEach((row, index) => {
        const after = rows.filter((_, other) => other > index && other % 2 === 1);
        expectEqual(table.listAfter(...keyOf(row, keys)), after, `${name}, listAfter of row ${index}`);
      });
    }
    store.close();
  },
};

const replacing: StoreCase = {
  title: "a row with the key of another takes its place, with all fields",
  run(fixture) {
    const store = fixture.open();
    store.transaction((tables) => {
      for (const { name, keys, row } of ALL) {
        const table = tablesOf(tables)[name];
        table.put(row);
        const before = table.count();
        const blank = (value: Value): Value => (value === undefined ? undefined : valuesLike(value)[0]);
        const fields = Object.entries(row).map(([field, value]) => [
          field,
          keys.includes(field) ? value : blank(value),
        ]);
        const other = Object.fromEntries(fields) as Row;
        table.put(other);
        expectEqual(table.get(...keyOf(row, keys)), other, `${name}, the second row`);
        expectEqual(table.count(), before, `${name}, count`);
      }
    });
    store.close();
  },
};

/** Keys and prefixes of every table. */
export const TABLE_CASES: readonly StoreCase[] = [absent, ordering, neighbours, replacing];
