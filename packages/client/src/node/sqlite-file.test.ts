import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { MIGRATIONS } from "../store/sql/schema.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import { databasePath, openElsewhere, openUntilEnd, temporaryFolder, writeElsewhere } from "../testing/database.ts";
import { SAMPLE_IDENTITY, sampleMessage } from "../testing/sample-rows.ts";

/** A database with a hundred messages in it, closed. */
function filledDatabase(t: TestContext): string {
  const path = databasePath(t);
  const store = openSqliteStore(path);
  store.transaction(({ identity, messages }) => {
    identity.put(SAMPLE_IDENTITY);
    for (let id = 1n; id <= 100n; id++) messages.put({ ...sampleMessage(id), content: new Uint8Array(1_000).fill(7) });
  });
  store.close();
  return path;
}

/** As somebody whom permissions bind, also when the tests run as root. */
function asOrdinaryUser(t: TestContext, path: string, action: () => void): void {
  const { geteuid, seteuid } = process;
  if (geteuid?.() !== 0 || seteuid === undefined) {
    action();
    return;
  }
  const nobody = 65_534;
  t.after(() => seteuid(0));
  chmodSync(dirname(path), statSync(dirname(path)).mode | 0o055);
  seteuid(nobody);
  try {
    action();
    return;
  } finally {
    seteuid(0);
  }
}

const DAMAGED = { code: "STORE_DAMAGED", retryable: false };
const FAILED = { code: "STORE_FAILED", retryable: false };

/** Refused with that error, and byte for byte what it was, with nothing left beside it. */
function assertRefused(path: string, expected: { readonly code: string; readonly message?: RegExp }): void {
  const before = readFileSync(path);
  const beside = readdirSync(dirname(path));
  assert.throws(() => openSqliteStore(path), expected);
  assert.deepEqual(readFileSync(path), before);
  assert.deepEqual(readdirSync(dirname(path)), beside);
}

describe("a file that is not what it was", () => {
  test("SEC-09 a database that was cut short is refused as damaged, wherever it was cut", (t) => {
    const path = filledDatabase(t);
    const whole = readFileSync(path);
    for (let size = whole.length - 1; size > 0; size -= 7_001) {
      writeFileSync(path, whole.subarray(0, size));
      assertRefused(path, DAMAGED);
    }
  });

  test("SEC-09 an empty file is refused: it has lost its content, and is not where a new client begins", (t) => {
    const path = filledDatabase(t);
    truncateSync(path, 0);
    assertRefused(path, { ...DAMAGED, message: /empty/ });
  });

  test("SEC-09 a page that was overwritten is found at opening, wherever it is", (t) => {
    const path = filledDatabase(t);
    const whole = readFileSync(path);
    for (let page = 0; page < whole.length / 4096; page++) {
      const torn = Buffer.from(whole);
      torn.fill(0x5a, page * 4096, (page + 1) * 4096);
      writeFileSync(path, torn);
      assertRefused(path, DAMAGED);
    }
  });

  test("something else is refused: a text, and the database of another program, with or without a version", (t) => {
    const path = databasePath(t);
    writeFileSync(path, "this is not a database, however long it may be ".repeat(200));
    assertRefused(path, { ...DAMAGED, message: /no database/ });
    for (const version of [0, 1, 1_000]) {
      const other = join(dirname(path), `other-${version}.db`);
      const database = new DatabaseSync(other);
      const id = version === 0 ? 0 : 0x0f055112;
      database.exec(`CREATE TABLE t (x); PRAGMA application_id = ${id}; PRAGMA user_version = ${version}`);
      database.close();
      assertRefused(other, { ...DAMAGED, message: /another program/ });
    }
  });

  test("a database of a newer version is STORE_VERSION and stays as it is", (t) => {
    const path = filledDatabase(t);
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 1000");
    newer.close();
    assertRefused(path, { code: "STORE_VERSION" });
  });

  test("a database of the first version is brought to the present one with everything in it", (t) => {
    const path = databasePath(t);
    const old = new DatabaseSync(path);
    old.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0] ?? ""}; PRAGMA user_version = 1`);
    const insert = "INSERT INTO messages VALUES (?, 1, 'm1', 'inbox', 'installation', ?, 'type', 'text', ?)";
    const { groupId, sentAtNs, content } = sampleMessage(1n);
    old.prepare(insert).run(groupId, sentAtNs, content);
    old.close();
    const store = openUntilEnd(t, path);
    assert.deepEqual(store.messages.list(), [sampleMessage(1n, "text")]);
    assert.deepEqual([...store.admissions.list(), ...store.encryption.list()], []);
  });
});

describe("a copy", () => {
  test("SEC-09 of the file alone, made while it was open, is refused; with its log it opens", (t) => {
    const path = databasePath(t);
    const store = openUntilEnd(t, path);
    store.transaction(({ identity }) => identity.put(SAMPLE_IDENTITY));
    const alone = join(dirname(path), "alone.db");
    const both = join(dirname(path), "both.db");
    for (const copy of [alone, both]) copyFileSync(path, copy);
    copyFileSync(`${path}-wal`, `${both}-wal`);
    assertRefused(alone, { ...DAMAGED, message: /copied while it was open/ });
    assert.deepEqual(openUntilEnd(t, both).identity.list(), [SAMPLE_IDENTITY]);
  });

  test("of a database whose process died needs the log as well", (t) => {
    const path = databasePath(t);
    assert.equal(writeElsewhere(path, "SIGKILL").signal, "SIGKILL");
    const copy = join(dirname(path), "copy.db");
    copyFileSync(path, copy);
    assertRefused(copy, DAMAGED);
    assert.equal(openUntilEnd(t, path).messages.list().length, 1);
  });

  test("of a closed database is the database", (t) => {
    const path = filledDatabase(t);
    const copy = join(dirname(path), "copy.db");
    copyFileSync(path, copy);
    assert.equal(openUntilEnd(t, copy).messages.list().length, 100);
  });

  test("a refusal takes nothing away: what a dead process left opens with the right key later", (t) => {
    const path = databasePath(t);
    const encryptionKey = new Uint8Array(32).fill(1);
    openSqliteStore(path, { encryptionKey }).close();
    const dying = new DatabaseSync(path);
    dying.exec(`PRAGMA application_id = 1280012144`);
    dying.close();
    writeFileSync(`${path}-wal`, "");
    for (const refused of [undefined, new Uint8Array(32)]) {
      assert.throws(() => openSqliteStore(path, { encryptionKey: refused }), { code: /^STORE_KEY_/ });
    }
    openSqliteStore(path, { encryptionKey }).close();
  });
});

describe("a process that ends", () => {
  for (const end of ["by itself", "exit", "SIGKILL"] as const) {
    test(`SEC-09 without closing (${end}) gives the lock back and loses nothing`, (t) => {
      const path = databasePath(t);
      assert.equal(writeElsewhere(path, end).output, "");
      assert.equal(existsSync(`${path}-wal`), end === "SIGKILL");
      assert.equal(openUntilEnd(t, path).messages.list()[0]?.text, "from elsewhere");
    });
  }
});

describe("one database, several ways to it", () => {
  test("SEC-09 the same file by a link is the same database: open once, in this process and in others", (t) => {
    const path = databasePath(t);
    openUntilEnd(t, path);
    const [symbolic, hard] = [join(dirname(path), "symbolic.db"), join(dirname(path), "hard.db")];
    symlinkSync(path, symbolic);
    linkSync(path, hard);
    for (const way of [path, symbolic, hard]) {
      assert.throws(() => openSqliteStore(way), { code: "STORE_LOCKED", retryable: true });
    }
    // Trying has not dropped the lock.
    assert.deepEqual(new Set(openElsewhere(path, symbolic, hard)), new Set(["STORE_LOCKED"]));
  });

  test("by a symbolic link the files of SQLite lie beside the real one; a link into nothing makes no file", (t) => {
    const path = filledDatabase(t);
    const link = join(temporaryFolder(t), "link.db");
    symlinkSync(path, link);
    assert.equal(openUntilEnd(t, link).messages.list().length, 100);
    assert.equal(existsSync(`${path}-wal`), true);
    const lost = join(dirname(link), "lost.db");
    symlinkSync(join(dirname(link), "nothing.db"), lost);
    assert.throws(() => openSqliteStore(lost), FAILED);
    assert.equal(existsSync(join(dirname(link), "nothing.db")), false);
  });
});

describe("a place where no database can be", () => {
  test("a missing folder, a folder in the place of the file, a file in the place of a folder", (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "client.db"));
    writeFileSync(join(folder, "file"), "");
    assert.throws(() => openSqliteStore(join(folder, "client.db")), { ...FAILED, message: /not that of a file/ });
    assert.throws(() => openSqliteStore(join(folder, "none", "client.db")), { ...FAILED, message: /folder/ });
    assert.throws(() => openSqliteStore(join(folder, "file", "client.db")), { ...FAILED, message: /not a folder/ });
    assert.deepEqual(readdirSync(folder).sort(), ["client.db", "file"]);
  });

  test("a file or a folder that cannot be written", (t) => {
    const path = filledDatabase(t);
    chmodSync(path, 0o444);
    const readOnly = { ...FAILED, message: /writable/ };
    asOrdinaryUser(t, path, () => assert.throws(() => openSqliteStore(path), readOnly));
    const fresh = join(dirname(path), "fresh.db");
    chmodSync(dirname(path), 0o555);
    asOrdinaryUser(t, path, () => assert.throws(() => openSqliteStore(fresh), { ...FAILED, message: /permissions/ }));
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o600);
    assert.equal(openUntilEnd(t, path).messages.list().length, 100);
  });

  test("a full disk at opening is STORE_FULL: no new file, and an older one stays of its version", (t) => {
    const path = databasePath(t);
    assert.throws(() => openSqliteStore(path, { maxPages: 3 }), { code: "STORE_FULL", retryable: true });
    assert.deepEqual(readdirSync(dirname(path)), []);
    const old = new DatabaseSync(path);
    old.exec(`PRAGMA journal_mode = WAL; ${MIGRATIONS[0] ?? ""}; PRAGMA user_version = 1`);
    old.close();
    const maxPages = statSync(path).size / 4096;
    assert.throws(() => openSqliteStore(path, { maxPages }), { code: "STORE_FULL" });
    const database = new DatabaseSync(path);
    t.after(() => database.close());
    assert.equal(database.prepare("PRAGMA user_version").get()?.["user_version"], 1);
  });
});
