import type { Row, Store, Value } from "../../store/store.ts";
import { expectCode, expectEqual, expectTrue } from "../expect.ts";
import { GROUP_ID, SAMPLE_ROWS, sampleBytes, sampleMessage } from "../sample-rows.ts";
import { keyOf, subjects, tablesOf, valuesLike, type StoreCase } from "./store-case.ts";

const ALL = subjects(SAMPLE_ROWS);
const DEFECT = { scope: "defect" } as const;

/** Many pages of a database. */
const LARGE_BYTES = 4 * 1024 * 1024;

/** Bytes whose `slice` shares memory, as that of Node's Buffer does. */
class SharingBytes extends Uint8Array {
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return this.subarray(start, end);
  }
}

/** The row with every byte array copied into the middle of a larger buffer, by a class of its own. */
function inLargerBuffers(row: Row): Row {
  const moved = (value: Value): Value => {
    if (!(value instanceof Uint8Array)) return value;
    const buffer = new ArrayBuffer(value.length + 20);
    const view = new SharingBytes(buffer, 10, value.length);
    view.set(value);
    return view;
  };
  return Object.fromEntries(Object.entries(row).map(([field, value]) => [field, moved(value)]));
}

/** Overwrites every byte array of a row. */
function spoil(row: Row | undefined): void {
  for (const value of Object.values(row ?? {})) if (value instanceof Uint8Array) value.fill(1);
}

/** Rows in which every field takes each of the values of its kind. */
function rowsOfAllValues(row: Row): Row[] {
  const fields = Object.entries(row).map(([field, value]) => ({
    field,
    values: value === undefined ? [undefined] : valuesLike(value),
  }));
  const rows = Math.max(...fields.map(({ values }) => values.length));
  return Array.from({ length: rows }, (_, turn) =>
    Object.fromEntries(fields.map(({ field, values }) => [field, values[turn % values.length]])),
  );
}

const everyField: StoreCase = {
  title: "every field gives back its value: empty bytes, NUL and byte order mark in texts, borders of 64 bits",
  run(fixture) {
    const store = fixture.open();
    store.transaction((tables) => {
      for (const { name, keys, row } of ALL) {
        const table = tablesOf(tables)[name];
        for (const changed of rowsOfAllValues(row)) {
          table.put(changed);
          expectEqual(table.get(...keyOf(changed, keys)), changed, name);
        }
        table.put(row);
        expectEqual(table.get(...keyOf(row, keys)), row, `${name}, absent fields`);
      }
    });
    store.close();
  },
};

const ownBytes: StoreCase = {
  title: "rows own their bytes: no view of a larger buffer, and changes on either side do not reach the other",
  run(fixture) {
    const store = fixture.open();
    const written = ALL.map(({ row }) => inLargerBuffers(row));
    store.transaction((tables) => {
      ALL.forEach(({ name }, index) => tablesOf(tables)[name].put(written[index] ?? {}));
      written.forEach(spoil);
      for (const { name, keys, row } of ALL) spoil(tablesOf(tables)[name].get(...keyOf(row, keys)));
    });
    const buffers = new Set<ArrayBufferLike>();
    let arrays = 0;
    for (const { name, keys, row } of ALL) {
      const table = tablesOf(store)[name];
      const key = keyOf(row, keys);
      for (const read of [() => table.get(...key), () => table.list(...key)[0]]) {
        const found = read();
        expectEqual(found, row, `${name}, as it was written`);
        for (const [field, value] of Object.entries(found ?? {})) {
          if (!(value instanceof Uint8Array)) continue;
          const isPlain = Object.getPrototypeOf(value) === Uint8Array.prototype;
          expectTrue(isPlain && value.buffer.byteLength === value.length, `${name}.${field} is all of its buffer`);
          buffers.add(value.buffer);
          arrays++;
        }
        spoil(found);
      }
      expectEqual(table.get(...key), row, `${name}, behind a change by a reader`);
    }
    expectEqual(buffers.size, arrays, "buffers, one for each field that was read");
    store.close();
  },
};

const rowObjects: StoreCase = {
  title: "the object of a row is the caller's: changing it changes nothing in the store",
  run(fixture) {
    const store = fixture.open();
    const row: Record<string, Value> = { ...sampleMessage(1n, "text") };
    store.transaction((tables) => {
      tablesOf(tables).messages.put(row);
      row["text"] = "changed";
    });
    Object.assign(store.messages.get(GROUP_ID, 1n) ?? {}, { text: "changed" });
    store.messages.list().length = 0;
    expectEqual(store.messages.list(), [sampleMessage(1n, "text")], "the row");
    store.close();
  },
};

function refusals(store: Store, value: bigint): void {
  const table = tablesOf(store).messages;
  const put = (row: Row) => () => store.transaction((tables) => tablesOf(tables).messages.put(row));
  const row: Row = { ...sampleMessage(1n) };
  expectCode(put({ ...row, id: value }), "STORE_FAILED", `the key ${value}`, DEFECT);
  expectCode(put({ ...row, sentAtNs: value }), "STORE_FAILED", `the field ${value}`, DEFECT);
  expectCode(() => table.get(GROUP_ID, value), "STORE_FAILED", `get ${value}`, DEFECT);
  expectCode(() => table.listAfter(GROUP_ID, value), "STORE_FAILED", `listAfter ${value}`, DEFECT);
}

const largeIntegers: StoreCase = {
  title: "an integer that needs more than 64 bits is STORE_FAILED, a defect; it is not wrapped, and nothing is written",
  run(fixture) {
    const store = fixture.open();
    for (const value of [2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 100n]) refusals(store, value);
    expectEqual(store.messages.list(), [], "rows");
    store.transaction((tables) => {
      tables.messages.put(sampleMessage(1n));
      const refused = () => tablesOf(tables).messages.put({ ...sampleMessage(2n), sentAtNs: 2n ** 63n });
      expectCode(refused, "STORE_FAILED", "a refused row between two others", DEFECT);
      tables.messages.put(sampleMessage(3n));
    });
    expectEqual(store.messages.list(), [sampleMessage(1n), sampleMessage(3n)], "rows beside a refused one");
    store.close();
  },
};

const loneSurrogates: StoreCase = {
  title: "half of a surrogate pair comes back as U+FFFD, in fields and keys",
  run(fixture) {
    const store = fixture.open();
    const value = GROUP_ID;
    store.transaction(({ messages, groupRows }) => {
      messages.put(sampleMessage(1n, "a\ud800b"));
      groupRows.put({ groupId: GROUP_ID, rowKey: "\udc00", value });
    });
    expectEqual(store.messages.get(GROUP_ID, 1n)?.text, "a\ufffdb", "a text");
    expectEqual(store.groupRows.list(), [{ groupId: GROUP_ID, rowKey: "\ufffd", value }], "a key");
    store.close();
  },
};

const largeRows: StoreCase = {
  title: "a row of 4 MiB comes back whole",
  run(fixture) {
    const store = fixture.open();
    const content = new Uint8Array(LARGE_BYTES);
    content.set(sampleBytes("start"));
    content.set(sampleBytes("end"), LARGE_BYTES - 200);
    store.transaction(({ messages }) => messages.put({ ...sampleMessage(1n), content }));
    const found = store.messages.get(GROUP_ID, 1n)?.content ?? new Uint8Array(0);
    expectEqual(found.length, LARGE_BYTES, "length");
    expectEqual(found.subarray(0, 200), sampleBytes("start"), "start");
    expectEqual(found.subarray(-200), sampleBytes("end"), "end");
    store.close();
  },
};

/** What fields hold, and whose it is. */
export const VALUE_CASES: readonly StoreCase[] = [
  everyField,
  ownBytes,
  rowObjects,
  largeIntegers,
  loneSurrogates,
  largeRows,
];
