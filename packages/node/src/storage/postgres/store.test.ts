import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { findPostgres, NO_POSTGRES, PostgresServer } from "../../testing/postgres.ts";
import { describeStore } from "../../testing/store-suite.ts";
import type { NewEnvelope } from "../storage.ts";
import { Connections } from "./connections.ts";
import { migrate } from "./migrate.ts";
import { MIGRATIONS } from "./schema.ts";
import { openPostgresStore } from "./store.ts";

const skip = findPostgres() === undefined ? NO_POSTGRES : false;

function open(url: string, maxBytes = 0) {
  return openPostgresStore(url)({ maxBytes, clock: () => 1n });
}

function envelope(text: string, topic = "topic"): NewEnvelope {
  return { topic: utf8(topic), payload: utf8(text), digest: utf8(`${topic} ${text}`) };
}

describe("PGS-01 PostgreSQL", { skip }, () => {
  let server: PostgresServer;
  let shared: string;
  before(async () => {
    server = await PostgresServer.start();
    shared = await server.createDatabase();
  });
  after(() => server.stop());

  describeStore("PostgreSQL", async () => {
    let store = await open(shared);
    const setClock = async (nowNs: bigint): Promise<void> => {
      const body = `LANGUAGE sql VOLATILE AS 'SELECT ${nowNs}::bigint'`;
      await server.run(shared, `CREATE OR REPLACE FUNCTION now_ns_1() RETURNS bigint ${body}`);
    };
    await setClock(1n);
    return {
      store,
      keepsTime: true,
      setClock,
      another: () => Promise.resolve(open(shared)),
      async reopen() {
        await store.close();
        store = await open(shared);
        return store;
      },
      async dispose() {
        await store.close();
        await server.empty(shared);
      },
    };
  });

  test("PGS-01 payloads above a page come back in parts, whole, up to the largest envelope", async () => {
    const store = await open(shared);
    const payload = new Uint8Array(25 * 2 ** 20);
    for (let at = 0; at < payload.length; at += 4_093) payload[at] = at % 251;
    const log = store.groupMessages;
    await log.append([envelope("small"), { topic: utf8("topic"), payload, digest: utf8("large") }, envelope("last")]);
    const request = { topic: utf8("topic"), direction: "ascending", cursor: 0n, limit: 100 } as const;
    const reserved: number[] = [];
    const page = await log.read({ ...request, maxBytes: 2 ** 30, reserve: (bytes) => reserved.push(bytes) });
    assert.deepEqual(reserved, [5, payload.length, 4]);
    assert.ok(Buffer.from(page.entries[1]?.payload ?? []).equals(payload));
    const refused = log.read({
      ...request,
      maxBytes: 2 ** 30,
      reserve: (bytes) => {
        if (bytes > 100) throw new RangeError("no memory");
      },
    });
    await assert.rejects(refused, RangeError);
    await store.close();
    await server.empty(shared);
  });

  test("PGS-01 a call for more topics than a batch may have is stored as a whole", async () => {
    const store = await open(shared);
    const envelopes = Array.from({ length: 1_000 }, (_, at) => envelope("x", `topic ${at}`));
    const stored = await Promise.all([store.welcomes.append(envelopes), store.welcomes.append([envelope("y")])]);
    assert.ok(stored.flat().every(Boolean));
    const heads = await store.welcomes.heads(envelopes.map(({ topic }) => topic));
    assert.ok(heads.every((head) => head !== undefined));
    await store.close();
    await server.empty(shared);
  });

  test("PGS-01 a batch that fails is repeated call by call, and only what is wrong in it fails", async () => {
    const store = await open(shared);
    await server.run(shared, "ALTER TABLE welcomes ADD CONSTRAINT good CHECK (payload <> 'bad')");
    const texts = ["a", "bad", "b", "c"];
    const results = await Promise.allSettled(texts.map((text) => store.welcomes.append([envelope(text)])));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled", "fulfilled"],
    );
    await server.run(shared, "ALTER TABLE welcomes DROP CONSTRAINT good");
    await store.close();
    await server.empty(shared);
  });

  test("PGS-01 the time up to which identity updates are read is behind an append that is under way", async () => {
    const url = await server.createDatabase();
    const [store, other] = [await open(url), await open(url)];
    // The append has its stamp, and waits before it is committed.
    await server.run(
      url,
      `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN new; END $$;
       CREATE TRIGGER hold AFTER INSERT ON identity_updates FOR EACH ROW EXECUTE FUNCTION hold()`,
    );
    const holder = await new Connections(url).connect(true);
    await holder.query("SELECT pg_advisory_lock(1)");
    const update = { inboxId: "inbox", payload: utf8("update"), digest: utf8("digest"), added: [], removed: [] };
    const appended = store.identity.append({ ...update, expectedLastId: 0n });
    const waits = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while ((await server.run(url, waits)).length === 0);
    const asOfNs = await other.identity.asOfNs();
    assert.deepEqual(await other.identity.read("inbox", 0n), []);
    await holder.query("SELECT pg_advisory_unlock(1)");
    assert.equal(await appended, "stored");
    const [stored] = await other.identity.read("inbox", 0n);
    assert.ok(stored !== undefined && stored.createdNs >= asOfNs, "the update that was not read is not earlier");
    assert.ok((await other.identity.asOfNs()) > stored.createdNs, "nothing is under way any more");
    await holder.end();
    await Promise.all([store.close(), other.close()]);
  });

  test("PGS-06 STORE_VERSION: a newer schema is refused, and a process of the version before goes on beside it", async () => {
    const url = await server.createDatabase();
    const before = await open(url);
    await before.groupMessages.append([envelope("before")]);
    const connections = new Connections(url);
    const next = [...MIGRATIONS, "ALTER TABLE group_messages ADD COLUMN later integer"];
    await Promise.all([
      migrate(connections, next),
      migrate(connections, next),
      before.groupMessages.append([envelope("during")]),
    ]);
    await before.groupMessages.append([envelope("after")]);
    const request = { topic: utf8("topic"), direction: "ascending", cursor: 0n, limit: 9, maxBytes: 1_000 } as const;
    const { entries } = await before.groupMessages.read(request);
    assert.deepEqual(
      entries.map(({ payload }) => Buffer.from(payload).toString()),
      ["before", "during", "after"],
    );
    const versions = { found: MIGRATIONS.length + 1, supported: MIGRATIONS.length };
    await assert.rejects(async () => open(url), { code: "STORE_VERSION", data: versions });
    await Promise.all([before.close(), connections.close()]);
  });

  test("PGS-01 errors: a url that is none, a server that is away, a store that is closed, a database beyond its bound", async () => {
    for (const url of ["", "mysql://x/y", "latchkey"]) {
      assert.throws(() => openPostgresStore(url), { code: "ARGUMENT_INVALID" });
    }
    await assert.rejects(async () => open("postgres://nobody@localhost/x?host=/nowhere"), {
      code: "STORE_FAILED",
      retryable: true,
    });
    const store = await open(shared, 1);
    const full = { code: "STORE_FULL", retryable: true };
    const isTaken = (text: string) => {
      return store.groupMessages.append([envelope(text)]).then(
        () => true,
        () => false,
      );
    };
    for (let at = 0; await isTaken(`${at}`); at++);
    await assert.rejects(store.groupMessages.append([envelope("full")]), full);
    await assert.rejects(store.keyPackages.put(utf8("key"), utf8("package")), full);
    assert.deepEqual(await store.groupMessages.heads([]), []);
    await store.close();
    await store.close();
    await assert.rejects(store.check(), { code: "STORE_FAILED" });
    const closed = await open(shared);
    await closed.close();
    await assert.rejects(closed.groupMessages.append([envelope("closed")]), { code: "STORE_FAILED" });
    await server.empty(shared);
  });
});
