import type { Store, Tables } from "../../store/store.ts";
import { expectCode, expectEqual, thrownBy } from "../expect.ts";
import { GROUP_ID, SAMPLE_ROWS, sampleMessage } from "../sample-rows.ts";
import { keyOf, subjects, tablesOf, type StoreCase } from "./store-case.ts";

const DEFECT = { scope: "defect" } as const;

/** Two messages and a row of a group's state. */
function fill(store: Store): void {
  store.transaction(({ messages, groupRows }) => {
    for (const id of [1n, 2n]) messages.put(sampleMessage(id, "before"));
    groupRows.put({ groupId: GROUP_ID, rowKey: "a", value: GROUP_ID });
  });
}

function expectFilled(store: Store, what: string): void {
  expectEqual(store.messages.list(), [sampleMessage(1n, "before"), sampleMessage(2n, "before")], what);
  expectEqual(store.groupRows.list(), [{ groupId: GROUP_ID, rowKey: "a", value: GROUP_ID }], what);
}

/** Puts, replaces and deletes in two tables. */
function change({ messages, groupRows }: Tables): void {
  messages.put(sampleMessage(3n, "new"));
  messages.put(sampleMessage(1n, "replaced"));
  messages.delete(GROUP_ID, 2n);
  messages.put(sampleMessage(2n, "put again"));
  messages.delete(GROUP_ID, 2n);
  groupRows.delete();
  groupRows.put({ groupId: Uint8Array.of(4), rowKey: "b", value: GROUP_ID });
}

const undoing: StoreCase = {
  title: "SEC-09 a transaction that throws leaves nothing, and throws what its writer threw",
  run(fixture) {
    const store = fixture.open();
    fill(store);
    const made = [
      new Error("made up"),
      Object.assign(new Error("made up"), { code: "ENOSPC", errcode: 13 }),
      undefined,
    ];
    for (const error of made) {
      const failing = () =>
        store.transaction((tables) => {
          change(tables);
          throw error as Error;
        });
      expectEqual(thrownBy(failing, "the transaction") === error, true, "the same error");
      expectFilled(store, "rows behind a transaction that threw");
    }
    store.transaction(({ messages }) => messages.put(sampleMessage(3n)));
    expectEqual(store.messages.count(), 3, "messages behind the next transaction");
    store.close();
    const again = fixture.open();
    expectEqual(again.messages.count(), 3, "messages behind reopening");
    again.close();
  },
};

const reading: StoreCase = {
  title: "a transaction returns its writer's result, and reads inside of it see its writes, by tables and by store",
  run(fixture) {
    const store = fixture.open();
    fill(store);
    const result = store.transaction((tables) => {
      change(tables);
      for (const { messages, groupRows } of [tables, store]) {
        expectEqual(messages.list(), [sampleMessage(1n, "replaced"), sampleMessage(3n, "new")], "messages inside");
        expectEqual(messages.get(GROUP_ID, 2n), undefined, "a deleted row inside");
        expectEqual(messages.listAfter(GROUP_ID, 1n), [sampleMessage(3n, "new")], "listAfter inside");
        expectEqual(groupRows.count(GROUP_ID), 0, "count inside");
      }
      return { ok: true };
    });
    expectEqual(result, { ok: true }, "the result");
    expectEqual(store.messages.list(), [sampleMessage(1n, "replaced"), sampleMessage(3n, "new")], "messages behind it");
    store.close();
  },
};

const everyTable: StoreCase = {
  title: "one transaction writes to all tables, or to none",
  run(fixture) {
    const store = fixture.open();
    const all = subjects(SAMPLE_ROWS);
    const putAll = (tables: Tables) => {
      for (const { name, row } of all) tablesOf(tables)[name].put(row);
    };
    const failing = () =>
      store.transaction((tables) => {
        putAll(tables);
        throw new Error("made up");
      });
    thrownBy(failing, "the transaction");
    for (const { name, keys, row } of all) {
      expectEqual(tablesOf(store)[name].get(...keyOf(row, keys)), undefined, `${name} behind the failure`);
    }
    store.transaction(putAll);
    for (const { name, keys, row } of all) expectEqual(tablesOf(store)[name].get(...keyOf(row, keys)), row, name);
    store.close();
  },
};

const nesting: StoreCase = {
  title: "a transaction inside of another one is STORE_FAILED, a defect; the outer one goes on or is undone as a whole",
  run(fixture) {
    const store = fixture.open();
    const nested = () => store.transaction(({ messages }) => messages.put(sampleMessage(9n)));
    store.transaction(({ messages }) => {
      messages.put(sampleMessage(1n));
      expectCode(nested, "STORE_FAILED", "the inner transaction", DEFECT);
      messages.put(sampleMessage(2n));
    });
    expectEqual(store.messages.list(), [sampleMessage(1n), sampleMessage(2n)], "rows of the outer one");
    const outer = () =>
      store.transaction(({ messages }) => {
        messages.put(sampleMessage(3n));
        nested();
      });
    expectCode(outer, "STORE_FAILED", "the outer transaction", DEFECT);
    expectEqual(store.messages.count(), 2, "rows behind an outer one that threw");
    store.transaction(({ messages }) => messages.put(sampleMessage(3n)));
    expectEqual(store.messages.count(), 3, "rows behind the next one");
    store.close();
  },
};

const outside: StoreCase = {
  title: "writing outside of a transaction is STORE_FAILED, a defect, also with tables of one that is over",
  run(fixture) {
    const store = fixture.open();
    fill(store);
    const kept: Tables[] = [];
    store.transaction((tables) => kept.push(tables));
    const failing = () =>
      store.transaction((tables) => {
        kept.push(tables);
        throw new Error("made up");
      });
    thrownBy(failing, "the transaction");
    for (const { messages } of kept) {
      expectCode(() => messages.put(sampleMessage(3n)), "STORE_FAILED", "put", DEFECT);
      expectCode(() => messages.delete(GROUP_ID), "STORE_FAILED", "delete", DEFECT);
      expectCode(() => messages.delete(Uint8Array.of(4)), "STORE_FAILED", "delete of nothing", DEFECT);
    }
    expectFilled(store, "rows");
    store.close();
  },
};

/** All or nothing, one at a time. */
export const TRANSACTION_CASES: readonly StoreCase[] = [undoing, reading, everyTable, nesting, outside];
