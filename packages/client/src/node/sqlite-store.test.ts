import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { databasePath, openUntilEnd } from "../testing/database.ts";
import type { StoreFixture } from "../testing/store-cases/store-case.ts";
import { storeCases } from "../testing/store-suite.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { SqliteStoreOptions } from "./options.ts";

/** Bytes that a small database may have more. */
const SMALL_BYTES = 4 * 1024 * 1024;

/** One database of the suite. */
function fixture(t: TestContext, encryptionKey: Uint8Array | undefined): Required<StoreFixture> {
  const path = databasePath(t);
  const open = (options: SqliteStoreOptions = {}) => openUntilEnd(t, path, { ...options, encryptionKey });
  return {
    open: () => open(),
    openSmall() {
      open().close();
      return open({ maxPages: Math.ceil((statSync(path).size + SMALL_BYTES) / 4096) });
    },
    damage() {
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0x5a, bytes.length / 2, (bytes.length / 4) * 3));
    },
  };
}

const KEYS = { readable: undefined, sealed: new Uint8Array(32).fill(1) };

for (const [form, key] of Object.entries(KEYS)) {
  describe(`every store: SQLite in Node, ${form}`, () => {
    for (const { title, run } of storeCases(["lock", "full", "damage"])) {
      test(title, (t) => run(fixture(t, key)));
    }
  });
}

test("SEC-09 a database that is open cannot be opened a second time, be it new or not", (t) => {
  const path = databasePath(t);
  const first = openSqliteStore(path);
  const refused = { code: "STORE_LOCKED", retryable: true };
  assert.throws(() => openSqliteStore(path), refused);
  first.close();
  openUntilEnd(t, path);
  assert.throws(() => openSqliteStore(path), refused);
});
