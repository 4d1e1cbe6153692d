import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import type { MessageRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

function databasePath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "latchkey-store-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, "client.db");
}

function open(t: TestContext, path: string, options: { maxPages?: number } = {}): Store {
  const store = openSqliteStore(path, options);
  t.after(() => store.close());
  return store;
}

const groupId = Uint8Array.of(1, 2, 3);

function message(id: bigint, text?: string): MessageRecord {
  const sender = { senderInboxId: "inbox", senderInstallationId: "installation" };
  const rest = { messageId: `m${id}`, contentType: "type", content: Uint8Array.of(9), sentAtNs: (1n << 62n) + id };
  return { groupId, id, text, ...sender, ...rest };
}

test("rows come back as they were written: bytes, texts, 64-bit integers, and what is absent", (t) => {
  const store = open(t, databasePath(t));
  const rows = [message(1n, "text"), message(2n)];
  store.transaction(({ messages }) => rows.forEach((row) => messages.put(row)));
  assert.deepEqual({ ...store.messages.get(groupId, 1n) }, rows[0]);
  assert.deepEqual(store.messages.list(groupId), rows);
  assert.deepEqual(store.messages.listAfter(groupId, 1n), [rows[1]]);
  assert.equal(store.messages.get(groupId, 3n), undefined);
  assert.deepEqual(store.messages.list(Uint8Array.of(1)), []);
});

test("a row with the same key is replaced; deleting takes everything below a prefix", (t) => {
  const store = open(t, databasePath(t));
  store.transaction(({ messages, groupRows }) => {
    messages.put(message(1n, "before"));
    messages.put(message(1n, "after"));
    for (const rowKey of ["a", "b"]) groupRows.put({ groupId, rowKey, value: groupId });
    groupRows.put({ groupId: Uint8Array.of(4), rowKey: "a", value: groupId });
  });
  assert.deepEqual(store.messages.list(groupId), [message(1n, "after")]);
  store.transaction(({ groupRows }) => groupRows.delete(groupId));
  assert.equal(store.groupRows.list().length, 1);
});

test("SEC-09 a database that is open cannot be opened a second time, be it new or not", (t) => {
  const path = databasePath(t);
  const first = openSqliteStore(path);
  const refused = { code: "STORE_FAILED", retryable: true };
  assert.throws(() => openSqliteStore(path), refused);
  first.close();
  open(t, path);
  assert.throws(() => openSqliteStore(path), refused);
});

test("SEC-09 a transaction that throws leaves nothing; the next one goes on", (t) => {
  const store = open(t, databasePath(t));
  const failing = () =>
    store.transaction(({ messages }) => {
      messages.put(message(1n));
      throw new Error("made up");
    });
  assert.throws(failing, { message: "made up" });
  assert.deepEqual(store.messages.list(), []);
  store.transaction(({ messages }) => messages.put(message(2n)));
  assert.equal(store.messages.list().length, 1);
});

test("rows are written inside of one transaction only", (t) => {
  const store = open(t, databasePath(t));
  let tables: Parameters<Parameters<Store["transaction"]>[0]>[0] | undefined;
  store.transaction((open) => (tables = open));
  assert.throws(() => tables?.messages.put(message(1n)), { code: "STORE_FAILED" });
  assert.throws(() => store.transaction(() => store.transaction(() => undefined)), { code: "STORE_FAILED" });
});

test("what was committed is there after the file is opened again", (t) => {
  const path = databasePath(t);
  const first = open(t, path);
  first.transaction(({ messages }) => messages.put(message(1n, "kept")));
  first.close();
  assert.deepEqual(open(t, path).messages.list(), [message(1n, "kept")]);
});

test("SEC-09 a file is open in one place at a time, and says so as something that passes", (t) => {
  const path = databasePath(t);
  const first = open(t, path);
  assert.throws(() => openSqliteStore(path), { code: "STORE_FAILED", retryable: true });
  first.close();
  open(t, path).close();
});

test("a full disk is STORE_FULL, and what was there before stays readable", (t) => {
  const path = databasePath(t);
  open(t, path).close();
  const pages = Math.ceil(readFileSync(path).length / 4096);
  const store = open(t, path, { maxPages: pages + 2 });
  const fill = () => {
    for (let i = 0n; i < 100n; i++) {
      store.transaction(({ messages }) => messages.put({ ...message(i), content: new Uint8Array(1_000) }));
    }
  };
  assert.throws(fill, { code: "STORE_FULL" });
  const kept = store.messages.list();
  assert.ok(kept.length > 0 && kept.length < 100);
});

test("a newer database is STORE_VERSION and stays as it is; no database at all, and no directory: STORE_FAILED", (t) => {
  const path = databasePath(t);
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 1000");
  newer.close();
  const before = readFileSync(path);
  assert.throws(() => openSqliteStore(path), { code: "STORE_VERSION", retryable: false });
  assert.deepEqual(readFileSync(path), before);
  const other = join(path, "..", "other.db");
  writeFileSync(other, "this is not a database, however long it may be ".repeat(200));
  assert.throws(() => openSqliteStore(other), { code: "STORE_FAILED" });
  assert.throws(() => openSqliteStore(join(path, "..", "missing", "client.db")), { code: "STORE_FAILED" });
});

test("a closed store answers CLIENT_CLOSED; a new file is readable for its owner only", (t) => {
  const path = databasePath(t);
  const store = open(t, path);
  assert.equal(statSync(path).mode & 0o077, 0);
  store.close();
  store.close();
  assert.throws(() => store.messages.list(), { code: "CLIENT_CLOSED" });
  assert.throws(() => store.transaction(() => undefined), { code: "CLIENT_CLOSED" });
});
