import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { CLIENT_LIMITS } from "../limits.ts";
import { CARRIERS, TABLE_NAMES } from "../store/sealed-store.ts";
import { TABLE_KEYS, type AnyTable, type Row, type Store, type TableName } from "../store/store.ts";
import { changeDatabaseKey, openSqliteStore } from "./sqlite-store.ts";
import { databasePath, openUntilEnd } from "../testing/database.ts";
import { GROUP_ID, sampleBytes, sampleMessage, sampleRows } from "../testing/sample-rows.ts";

/** Everything that lies in the folder of a database. */
function bytesBeside(path: string): Buffer {
  const folder = dirname(path);
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

const KEY = sampleBytes("the key", 32);
const OTHER_KEY = sampleBytes("another key", 32);

describe("modes", () => {
  test("SEC-09 a database and what SQLite puts beside it are their owner's alone, whatever the umask", (t) => {
    const before = process.umask(0);
    t.after(() => process.umask(before));
    const path = databasePath(t);
    const store = openUntilEnd(t, path);
    store.transaction(({ messages }) => messages.put(sampleMessage(1n)));
    for (const name of [path, `${path}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600);
    store.close();
    chmodSync(path, 0o644);
    openUntilEnd(t, path);
    for (const name of [path, `${path}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(dirname(path)).sort(), ["client.db", "client.db-wal"]);
  });
});

describe("what is deleted", () => {
  /** A store that held a key package's private key, which lies in file and log, and then deleted it. */
  function afterDeletion(t: TestContext): {
    readonly path: string;
    readonly store: Store;
    readonly gone: () => boolean;
  } {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const path = databasePath(t);
    const store = openUntilEnd(t, path);
    const reference = Uint8Array.of(1);
    const row = {
      reference,
      initKey: reference,
      bundle: sampleBytes("private key"),
      wrapperPrivateKey: sampleBytes("x"),
      uploaded: 0n,
      retiredAtNs: undefined,
    };
    const isThere = () => bytesBeside(path).includes(sampleBytes("private key"));
    store.transaction(({ keyPackages }) => keyPackages.put(row));
    t.mock.timers.tick(CLIENT_LIMITS.emptyLogAfterMs);
    assert.ok(readFileSync(path).includes(sampleBytes("private key")), "it is in the file");
    store.transaction(({ keyPackages }) => keyPackages.put({ ...row, uploaded: 1n }));
    store.transaction(({ keyPackages }) => keyPackages.delete(reference));
    assert.ok(isThere(), "the log still has it");
    return { path, store, gone: () => !isThere() };
  }

  test("SEC-09 is gone from file and log after a rest", (t) => {
    const { gone } = afterDeletion(t);
    t.mock.timers.tick(CLIENT_LIMITS.emptyLogAfterMs);
    assert.ok(gone());
  });

  test("SEC-09 is gone from file and log after a number of transactions, rest or not", (t) => {
    const { store, gone } = afterDeletion(t);
    for (let id = 0n; id < CLIENT_LIMITS.maxLoggedTransactions; id++) {
      store.transaction(({ messages }) => messages.put(sampleMessage(id)));
    }
    assert.ok(gone());
  });

  test("SEC-09 is gone when the database is closed", (t) => {
    const { path, store, gone } = afterDeletion(t);
    store.close();
    assert.ok(gone());
    assert.equal(existsSync(`${path}-wal`), false);
  });

  test("a database that was emptied gives its room back when it is opened again", (t) => {
    const path = databasePath(t);
    const store = openSqliteStore(path);
    const content = new Uint8Array(10_000);
    store.transaction(({ messages }) => {
      for (let id = 0n; id < 200n; id++) messages.put({ ...sampleMessage(id), content });
    });
    store.transaction(({ messages }) => messages.delete(GROUP_ID));
    store.close();
    const before = statSync(path).size;
    openSqliteStore(path).close();
    assert.ok(before > 2_000_000 && statSync(path).size < 300_000, `${before} bytes, then ${statSync(path).size}`);
  });
});

function tablesOf(store: object): Record<TableName, AnyTable> {
  return store as unknown as Record<TableName, AnyTable>;
}

function put(store: Store, rows: readonly [TableName, Row][]): void {
  store.transaction((tables) => rows.forEach(([name, row]) => tablesOf(tables)[name].put(row)));
}

function everything(store: Store): [TableName, Row][] {
  return TABLE_NAMES.filter((name) => name !== "encryption").flatMap((name) =>
    tablesOf(store)
      [name].list()
      .map((row): [TableName, Row] => [name, row]),
  );
}

function sorted(rows: readonly [TableName, Row][]): [TableName, Row][] {
  return [...rows].sort(([a], [b]) => TABLE_NAMES.indexOf(a) - TABLE_NAMES.indexOf(b));
}

/** Names of the fields whose values stand readable in the folder of a database. */
function readable(path: string): string[] {
  const bytes = bytesBeside(path);
  return sampleRows().flatMap(([table, row]) =>
    Object.entries(row)
      .filter(([, value]) => typeof value !== "bigint" && value !== undefined && value.length > 20)
      .filter(([, value]) => bytes.includes(value as string | Uint8Array))
      .map(([field]) => `${table}.${field}`),
  );
}

/** An encrypted database with a row in each table, closed. */
function encryptedDatabase(t: TestContext): string {
  const path = databasePath(t);
  const store = openSqliteStore(path, { encryptionKey: KEY });
  put(store, sampleRows());
  store.close();
  return path;
}

function edit(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe("an encrypted database", () => {
  test("SEC-09 gives back what was written, by every way of reading, and holds nothing of it readable", (t) => {
    const path = databasePath(t);
    const store = openUntilEnd(t, path, { encryptionKey: KEY });
    put(store, sampleRows());
    assert.deepEqual(readable(path), ["identityUpdates.update"]);
    assert.deepEqual(everything(store), sorted(sampleRows()));
    assert.equal(store.messages.get(GROUP_ID, 1n)?.text, "text that nobody else shall read");
    assert.equal(store.messages.count(GROUP_ID, 1n), 1);
    assert.deepEqual(
      store.messages.listAfter(GROUP_ID, 1n).map(({ id }) => id),
      [2n, 3n],
    );
    store.transaction((tables) => {
      assert.equal(tables.outbox.get(GROUP_ID, 1n)?.epoch, -1n);
      tables.messages.delete(GROUP_ID, 1n);
    });
    assert.equal(store.messages.get(GROUP_ID, 1n), undefined);
    store.close();
    const again = openUntilEnd(t, path, { encryptionKey: KEY });
    assert.deepEqual(
      again.messages.list().map(({ senderInboxId }) => senderInboxId),
      ["sender that nobody else shall know", "inbox"],
    );
    again.close();
    assert.deepEqual(readable(path), ["identityUpdates.update"]);
  });

  test("every row that is sealed has all of its fields but the key's inside", (t) => {
    const path = encryptedDatabase(t);
    const database = new DatabaseSync(path, { readOnly: true });
    t.after(() => database.close());
    for (const [name, carrier] of Object.entries(CARRIERS)) {
      if (carrier === undefined) continue;
      const snake = (text: string) => text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const keys: readonly string[] = TABLE_KEYS[name as TableName];
      const rows = database.prepare(`SELECT * FROM ${snake(name)}`).all();
      assert.ok(rows.length > 0, name);
      for (const [column, value] of rows.flatMap((row) => Object.entries(row))) {
        if (keys.map(snake).includes(column) || column === snake(carrier)) continue;
        assert.ok(
          value === null || value === 0 || value === "" || (value as Uint8Array).length === 0,
          `${name}.${column}`,
        );
      }
    }
  });

  test("SEC-09 with a wrong key, with none, or with one of another length is refused, and stays as it is", (t) => {
    const path = encryptedDatabase(t);
    const before = readFileSync(path);
    const refused = (encryptionKey: Uint8Array | undefined, code: string) =>
      assert.throws(() => openSqliteStore(path, { encryptionKey }), { code, retryable: false });
    refused(OTHER_KEY, "STORE_KEY_WRONG");
    refused(KEY.subarray(1), "STORE_KEY_WRONG");
    refused(new Uint8Array(0), "STORE_KEY_WRONG");
    refused(undefined, "STORE_KEY_MISSING");
    // Opening and closing bumps counters of SQLite, nothing else.
    assert.deepEqual(readFileSync(path).subarray(4096), before.subarray(4096));
    assert.deepEqual(everything(openUntilEnd(t, path, { encryptionKey: KEY })), sorted(sampleRows()));
  });

  test("SEC-09 a key for a database that is not encrypted is refused; a new one takes it", (t) => {
    const path = databasePath(t);
    openSqliteStore(path).close();
    openSqliteStore(path, { encryptionKey: KEY }).close();
    assert.throws(() => openSqliteStore(path), { code: "STORE_KEY_MISSING" });
    const plain = databasePath(t);
    const store = openSqliteStore(plain);
    put(store, sampleRows());
    store.close();
    assert.throws(() => openSqliteStore(plain, { encryptionKey: KEY }), { code: "STORE_NOT_ENCRYPTED" });
    assert.deepEqual(everything(openUntilEnd(t, plain)), sorted(sampleRows()));
  });

  const attacks: readonly (readonly [string, string, (store: Store) => unknown])[] = [
    [
      "a row put in the place of another",
      "UPDATE messages SET content = (SELECT content FROM messages WHERE id = 1) WHERE id = 2",
      (s) => s.messages.get(GROUP_ID, 2n),
    ],
    ["a row given another key", "UPDATE messages SET id = 9 WHERE id = 1", (s) => s.messages.list()],
    ["a row of another table", "UPDATE joins SET rows = (SELECT rows FROM pending_commits)", (s) => s.joins.list()],
    [
      "a made-up row",
      "UPDATE group_rows SET value = CAST(x'01' || zeroblob(60) AS BLOB)",
      (s) => s.groupRows.list(GROUP_ID),
    ],
    ["a row of another form", "UPDATE outbox SET plaintext = x'02'", (s) => s.outbox.listAfter(GROUP_ID, 0n)],
    ["a row that was emptied", "UPDATE identity SET signature_private_key = x''", (s) => s.identity.get("self")],
  ];
  for (const [name, sql, read] of attacks) {
    test(`SEC-09 ${name} is STORE_DAMAGED`, (t) => {
      const path = encryptedDatabase(t);
      edit(path, sql);
      const store = openUntilEnd(t, path, { encryptionKey: KEY });
      assert.throws(() => read(store), { code: "STORE_DAMAGED", retryable: false });
    });
  }

  test("no two seals are alike, though they hold the same", (t) => {
    const path = encryptedDatabase(t);
    const carried = () => {
      const database = new DatabaseSync(path, { readOnly: true });
      const value = database.prepare("SELECT value FROM group_rows").get()?.["value"];
      database.close();
      return value;
    };
    const first = carried();
    const store = openSqliteStore(path, { encryptionKey: KEY });
    put(store, sampleRows());
    store.close();
    assert.notDeepEqual(carried(), first);
  });
});

describe("changing the key", () => {
  test("SEC-09 encrypts, gives another key, and decrypts, and every time the old way in is shut", (t) => {
    const path = databasePath(t);
    const store = openSqliteStore(path);
    put(store, sampleRows());
    store.close();
    let from: Uint8Array | undefined;
    for (const to of [KEY, OTHER_KEY, undefined]) {
      changeDatabaseKey(path, { from, to });
      const old = from;
      assert.throws(() => openSqliteStore(path, { encryptionKey: old }), { code: /^STORE_(KEY|NOT)_/ });
      if (to !== undefined) assert.deepEqual(readable(path), ["identityUpdates.update"]);
      const reopened = openSqliteStore(path, { encryptionKey: to });
      assert.deepEqual(everything(reopened), sorted(sampleRows()));
      reopened.close();
      from = to;
    }
  });

  test("SEC-09 is done for all rows or for none: one that does not open stops it", (t) => {
    const path = encryptedDatabase(t);
    edit(path, "UPDATE admissions SET external_group_id = x'01'");
    assert.throws(() => changeDatabaseKey(path, { from: KEY, to: OTHER_KEY }), { code: "STORE_DAMAGED" });
    const store = openUntilEnd(t, path, { encryptionKey: KEY });
    assert.equal(store.messages.list().length, 3);
  });

  test("needs the right key, and nobody else in the database", (t) => {
    const path = encryptedDatabase(t);
    assert.throws(() => changeDatabaseKey(path, { from: OTHER_KEY, to: KEY }), { code: "STORE_KEY_WRONG" });
    assert.throws(() => changeDatabaseKey(path, { to: OTHER_KEY }), { code: "STORE_KEY_MISSING" });
    assert.throws(() => changeDatabaseKey(path, { from: KEY, to: new Uint8Array(16) }), { code: "STORE_KEY_WRONG" });
    openUntilEnd(t, path, { encryptionKey: KEY });
    assert.throws(() => changeDatabaseKey(path, { from: KEY, to: OTHER_KEY }), { code: "STORE_LOCKED" });
  });
});
