import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Store } from "../store/store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { databasePath, GROUP_ID, openUntilEnd, sampleMessage } from "../testing/database.ts";

test("rows come back as they were written: bytes, texts, 64-bit integers, and what is absent", (t) => {
  const store = openUntilEnd(t, databasePath(t));
  const rows = [sampleMessage(1n, "text"), sampleMessage(2n)];
  store.transaction(({ messages }) => rows.forEach((row) => messages.put(row)));
  assert.deepEqual({ ...store.messages.get(GROUP_ID, 1n) }, rows[0]);
  assert.deepEqual(store.messages.list(GROUP_ID), rows);
  assert.deepEqual(store.messages.listAfter(GROUP_ID, 1n), [rows[1]]);
  assert.deepEqual([store.messages.count(), store.messages.count(GROUP_ID, 1n), store.groups.count()], [2, 1, 0]);
  assert.equal(store.messages.get(GROUP_ID, 3n), undefined);
  assert.deepEqual(store.messages.list(Uint8Array.of(1)), []);
});

test("a row with the same key is replaced; deleting takes everything below a prefix", (t) => {
  const store = openUntilEnd(t, databasePath(t));
  store.transaction(({ messages, groupRows }) => {
    messages.put(sampleMessage(1n, "before"));
    messages.put(sampleMessage(1n, "after"));
    for (const rowKey of ["a", "b"]) groupRows.put({ groupId: GROUP_ID, rowKey, value: GROUP_ID });
    groupRows.put({ groupId: Uint8Array.of(4), rowKey: "a", value: GROUP_ID });
  });
  assert.deepEqual(store.messages.list(GROUP_ID), [sampleMessage(1n, "after")]);
  store.transaction(({ groupRows }) => groupRows.delete(GROUP_ID));
  assert.equal(store.groupRows.list().length, 1);
});

test("SEC-09 a database that is open cannot be opened a second time, be it new or not", (t) => {
  const path = databasePath(t);
  const first = openSqliteStore(path);
  const refused = { code: "STORE_LOCKED", retryable: true };
  assert.throws(() => openSqliteStore(path), refused);
  first.close();
  openUntilEnd(t, path);
  assert.throws(() => openSqliteStore(path), refused);
});

test("SEC-09 a transaction that throws leaves nothing; the next one goes on", (t) => {
  const store = openUntilEnd(t, databasePath(t));
  const failing = () =>
    store.transaction(({ messages }) => {
      messages.put(sampleMessage(1n));
      throw new Error("made up");
    });
  assert.throws(failing, { message: "made up" });
  assert.deepEqual(store.messages.list(), []);
  store.transaction(({ messages }) => messages.put(sampleMessage(2n)));
  assert.equal(store.messages.list().length, 1);
});

test("rows are written inside of one transaction only", (t) => {
  const store = openUntilEnd(t, databasePath(t));
  let tables: Parameters<Parameters<Store["transaction"]>[0]>[0] | undefined;
  store.transaction((open) => (tables = open));
  assert.throws(() => tables?.messages.put(sampleMessage(1n)), { code: "STORE_FAILED" });
  assert.throws(() => store.transaction(() => store.transaction(() => undefined)), { code: "STORE_FAILED" });
});

test("what was committed is there after the file is opened again", (t) => {
  const path = databasePath(t);
  const first = openUntilEnd(t, path);
  first.transaction(({ messages }) => messages.put(sampleMessage(1n, "kept")));
  first.close();
  assert.deepEqual(openUntilEnd(t, path).messages.list(), [sampleMessage(1n, "kept")]);
});

test("a full disk is STORE_FULL, and what was there before stays readable", (t) => {
  const path = databasePath(t);
  openUntilEnd(t, path).close();
  const pages = Math.ceil(readFileSync(path).length / 4096);
  const store = openUntilEnd(t, path, { maxPages: pages + 2 });
  const fill = () => {
    for (let i = 0n; i < 100n; i++) {
      store.transaction(({ messages }) => messages.put({ ...sampleMessage(i), content: new Uint8Array(1_000) }));
    }
  };
  assert.throws(fill, { code: "STORE_FULL" });
  const kept = store.messages.list();
  assert.ok(kept.length > 0 && kept.length < 100);
});

test("a closed store answers CLIENT_CLOSED", (t) => {
  const path = databasePath(t);
  const store = openUntilEnd(t, path);
  store.close();
  store.close();
  assert.throws(() => store.messages.list(), { code: "CLIENT_CLOSED" });
  assert.throws(() => store.transaction(() => undefined), { code: "CLIENT_CLOSED" });
});
