import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { describeStore } from "../../testing/store-suite.ts";
import { MIGRATIONS } from "./schema.ts";
import { openSqliteStore } from "./store.ts";
import { headQuery } from "./topic-log.ts";

function withDirectory(run: (dataDir: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "latchkey-store-"));
    try {
      await run(dataDir);
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  };
}

function open(dataDir: string, maxBytes = 0) {
  return openSqliteStore({ dataDir, maxBytes, clock: () => 1n });
}

describeStore("SQLite", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "latchkey-store-"));
  let nowNs = 1n;
  const options = { dataDir, maxBytes: 0, clock: () => nowNs };
  let store = openSqliteStore(options);
  return {
    store,
    setClock(value) {
      nowNs = value;
    },
    async reopen() {
      await store.close();
      store = openSqliteStore(options);
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(dataDir, { recursive: true });
    },
  };
});

describe("SQLite: the file", () => {
  test(
    "STORE_VERSION: data of a newer build is refused and left alone",
    withDirectory(async (dataDir) => {
      await open(dataDir).close();
      const file = new DatabaseSync(join(dataDir, "node.sqlite"));
      file.exec("PRAGMA user_version = 9999");
      file.close();
      for (let attempt = 0; attempt < 2; attempt++) {
        assert.throws(() => open(dataDir), { code: "STORE_VERSION", data: { found: 9999, supported: 4 } });
      }
    }),
  );

  test(
    "STORE migrates version 3: heads come from the index alone, and rows from before have no kind",
    withDirectory(async (dataDir) => {
      const path = join(dataDir, "node.sqlite");
      const file = new DatabaseSync(path);
      for (const script of MIGRATIONS.slice(0, 3)) file.exec(script);
      file.exec("PRAGMA user_version = 3; INSERT INTO group_messages VALUES (7, x'74', 5, x'00', x'aabb')");
      file.close();
      const store = open(dataDir);
      assert.deepEqual(await store.groupMessages.heads([utf8("t")]), [{ id: 7n, createdNs: 5n, kind: undefined }]);
      const payload = new Uint8Array(100_000);
      await store.groupMessages.append([{ topic: utf8("t"), payload, digest: utf8("d"), kind: "application" }]);
      assert.deepEqual(await store.groupMessages.heads([utf8("t")]), [{ id: 8n, createdNs: 6n, kind: "application" }]);
      await store.close();

      const after = new DatabaseSync(path);
      const [plan] = after.prepare(`EXPLAIN QUERY PLAN ${headQuery("group_messages")}`).all(utf8("t"));
      after.close();
      assert.match(String(plan?.["detail"]), /USING COVERING INDEX group_messages_by_topic/);
    }),
  );

  test(
    "STORE_LOCKED: a second node on the same directory is refused until the first has closed",
    withDirectory(async (dataDir) => {
      const first = open(dataDir);
      assert.throws(() => open(dataDir), { code: "STORE_LOCKED" });
      await first.close();
      await first.close();
      await open(dataDir).close();
    }),
  );

  test(
    "STORE_FULL: a full store refuses the whole batch, can be read, and takes writes when there is room",
    withDirectory(async (dataDir) => {
      const store = open(dataDir, 512 * 1024);
      const envelope = (index: number, size: number) => ({
        topic: utf8("t"),
        payload: new Uint8Array(size).fill(index),
        digest: utf8(`digest ${index}`),
      });
      await store.groupMessages.append([envelope(1, 1_000)]);
      const batch = [envelope(2, 1_000), envelope(3, 600 * 1024)];
      await assert.rejects(store.groupMessages.append(batch), { code: "STORE_FULL", retryable: true });
      assert.equal((await store.groupMessages.newest(utf8("t")))?.id, 1n, "nothing of the batch is there");
      await store.groupMessages.append([envelope(4, 1_000)]);
      await store.close();

      const larger = open(dataDir, 4 * 1024 * 1024);
      assert.deepEqual(await larger.groupMessages.append(batch), [true, true]);
      await larger.close();
    }),
  );

  test(
    "STORE_DAMAGED: a database that was cut, overwritten or emptied, of another program, or none at all; it stays so",
    withDirectory(async (dataDir) => {
      const store = open(dataDir);
      const envelope = (index: number) => ({
        topic: utf8("t"),
        payload: new Uint8Array(4_000).fill(index),
        digest: utf8(`digest ${index}`),
      });
      await store.groupMessages.append(Array.from({ length: 20 }, (_, index) => envelope(index)));
      await store.close();
      const path = join(dataDir, "node.sqlite");
      const whole = readFileSync(path);
      const overwritten = Buffer.from(whole).fill(0x5a, 8_192, whole.length - 4_096);
      const text = Buffer.from("this is no database, it only has its name".repeat(100));
      const foreign = join(dataDir, "foreign.sqlite");
      const other = new DatabaseSync(foreign);
      other.exec("CREATE TABLE t (x)");
      other.close();
      const cut = whole.subarray(0, whole.length / 2);
      for (const bytes of [Buffer.alloc(0), cut, overwritten, text, readFileSync(foreign)]) {
        writeFileSync(path, bytes);
        assert.throws(() => open(dataDir), { code: "STORE_DAMAGED", retryable: false });
        assert.deepEqual(readFileSync(path), bytes);
      }
      writeFileSync(path, whole);
      await open(dataDir).close();
    }),
  );

  test(
    "STORE_FAILED: an impossible directory, and any use after closing",
    withDirectory(async (dataDir) => {
      writeFileSync(join(dataDir, "file"), "");
      assert.throws(() => open(join(dataDir, "file", "below a file")), { code: "STORE_FAILED" });
      const store = open(dataDir);
      await store.close();
      await assert.rejects(store.check(), { code: "STORE_FAILED" });
      await assert.rejects(store.groupMessages.append([]), { code: "STORE_FAILED" });
    }),
  );
});
