import type { Store } from "../../store/store.ts";
import { expectCode, expectEqual, expectTrue } from "../expect.ts";
import { GROUP_ID, SAMPLE_ROWS, sampleMessage } from "../sample-rows.ts";
import { keyOf, subjects, tablesOf, type StoreCase } from "./store-case.ts";

const PERMANENT = { retryable: false } as const;
const TRANSIENT = { retryable: true } as const;

/** Bytes of the rows with which a small database is filled. */
const CHUNK_BYTES = 256 * 1024;

/** More of them than fit into a small database. */
const MAX_CHUNKS = 64n;

const reopening: StoreCase = {
  title: "SEC-09 a database that is closed and opened again has all of its rows",
  run(fixture) {
    const all = subjects(SAMPLE_ROWS);
    const first = fixture.open();
    first.transaction((tables) => {
      for (const { name, row } of all) tablesOf(tables)[name].put(row);
    });
    first.close();
    for (let opening = 1; opening <= 2; opening++) {
      const store = fixture.open();
      for (const { name, keys, row } of all) {
        expectEqual(tablesOf(store)[name].get(...keyOf(row, keys)), row, `${name}, opening ${opening}`);
      }
      store.close();
    }
  },
};

const closing: StoreCase = {
  title: "behind close every call is CLIENT_CLOSED, and closing again does nothing",
  run(fixture) {
    const store = fixture.open();
    store.transaction(({ messages }) => messages.put(sampleMessage(1n)));
    store.close();
    store.close();
    let isRun = false;
    const calls: readonly (readonly [string, () => unknown])[] = [
      ["get", () => store.messages.get(GROUP_ID, 1n)],
      ["list", () => store.messages.list()],
      ["listAfter", () => store.messages.listAfter(GROUP_ID, 0n)],
      ["count", () => store.messages.count()],
      ["get of a table that was never read", () => store.gaps.get(GROUP_ID, 1n)],
      ["transaction", () => store.transaction(() => (isRun = true))],
    ];
    for (const [name, call] of calls) expectCode(call, "CLIENT_CLOSED", name);
    expectEqual(isRun, false, "whether the writer ran");
    const again = fixture.open();
    expectEqual(again.messages.list(), [sampleMessage(1n)], "rows behind reopening");
    store.close();
    expectEqual(again.messages.count(), 1, "rows behind closing the old store once more");
    again.close();
  },
};

const closingInside: StoreCase = {
  title: "SEC-09 closing inside of a transaction undoes it, and the transaction is CLIENT_CLOSED",
  run(fixture) {
    const store = fixture.open();
    store.transaction(({ messages }) => messages.put(sampleMessage(1n)));
    const closesItself = () =>
      store.transaction(({ messages }) => {
        messages.put(sampleMessage(2n));
        store.close();
      });
    expectCode(closesItself, "CLIENT_CLOSED", "the transaction");
    expectCode(() => store.messages.list(), "CLIENT_CLOSED", "the store behind it");
    const again = fixture.open();
    expectEqual(again.messages.list(), [sampleMessage(1n)], "rows behind reopening");
    again.close();
  },
};

const locking: StoreCase = {
  title: "SEC-09 a database that is open is STORE_LOCKED for a second one, until it is closed",
  needs: "lock",
  run(fixture) {
    const first = fixture.open();
    expectCode(() => fixture.open(), "STORE_LOCKED", "opening twice", TRANSIENT);
    first.transaction(({ messages }) => messages.put(sampleMessage(1n)));
    expectCode(() => fixture.open(), "STORE_LOCKED", "opening twice, once more", TRANSIENT);
    first.close();
    const second = fixture.open();
    expectEqual(second.messages.list(), [sampleMessage(1n)], "rows of the second store");
    second.close();
  },
};

function fillUp(store: Store): bigint {
  const content = new Uint8Array(CHUNK_BYTES).fill(7);
  let written = 0n;
  const fill = () => {
    while (written < MAX_CHUNKS) {
      store.transaction(({ messages }) => messages.put({ ...sampleMessage(written + 1n), content }));
      written++;
    }
  };
  expectCode(fill, "STORE_FULL", "filling the database", TRANSIENT);
  return written;
}

const filling: StoreCase = {
  title: "SEC-09 a full disk is STORE_FULL: what was written stays, nothing is written half, and deleting makes room",
  needs: "full",
  run(fixture) {
    expectTrue(fixture.openSmall !== undefined, "the fixture bounds its room");
    const store = fixture.openSmall?.() ?? fixture.open();
    const written = fillUp(store);
    expectTrue(written > 0n, "some rows fit");
    expectEqual(BigInt(store.messages.count()), written, "rows of transactions that were reported done");
    const several = () =>
      store.transaction(({ groupRows, messages }) => {
        groupRows.put({ groupId: GROUP_ID, rowKey: "small", value: GROUP_ID });
        messages.delete(GROUP_ID, 1n);
        for (let id = 100n; id < 100n + MAX_CHUNKS; id++) {
          messages.put({ ...sampleMessage(id), content: new Uint8Array(CHUNK_BYTES) });
        }
      });
    expectCode(several, "STORE_FULL", "a transaction that does not fit", TRANSIENT);
    expectEqual(store.groupRows.count(), 0, "small rows of a transaction that did not fit");
    expectEqual(BigInt(store.messages.count()), written, "messages behind it");
    store.transaction(({ messages }) => messages.delete());
    store.transaction(({ messages }) => messages.put(sampleMessage(1n)));
    store.close();
    const again = fixture.open();
    expectEqual(again.messages.list(), [sampleMessage(1n)], "rows behind reopening");
    again.close();
  },
};

const damage: StoreCase = {
  title: "SEC-09 a damaged database is STORE_DAMAGED each time, never an empty one",
  needs: "damage",
  run(fixture) {
    const store = fixture.open();
    const content = new Uint8Array(CHUNK_BYTES).fill(7);
    store.transaction(({ messages }) => messages.put({ ...sampleMessage(1n), content }));
    store.close();
    expectTrue(fixture.damage !== undefined, "the fixture damages its database");
    fixture.damage?.();
    for (const what of ["opening", "opening again"]) expectCode(() => fixture.open(), "STORE_DAMAGED", what, PERMANENT);
  },
};

/** Opening, closing, and what can be the matter with the disk. */
export const LIFE_CASES: readonly StoreCase[] = [reopening, closing, closingInside, locking, filling, damage];
