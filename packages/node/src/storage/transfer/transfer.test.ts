import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { findPostgres, NO_POSTGRES, PostgresServer } from "../../testing/postgres.ts";
import { temporaryDirectory } from "../../testing/support.ts";
import { openPostgresStore } from "../postgres/store.ts";
import { openSqliteStore } from "../sqlite/store.ts";
import type { Store } from "../storage.ts";
import { openPostgresTransfer } from "./postgres-transfer.ts";
import { openSqliteTransfer } from "./sqlite-transfer.ts";
import { bumpIds, exportFromPostgres, importToPostgres, transfer } from "./transfer.ts";

const skip = findPostgres() === undefined ? NO_POSTGRES : false;

const CONTEXT = { maxBytes: 0, clock: () => 1_000n };
const BOUNDS = { blobsPerSlot: 8, slotsTotal: 100, bytesTotal: 100_000, lifeNs: 1_000_000n };
const TOPICS = [utf8("one"), utf8("two")] as const;
const WALLET = { kind: "ethereum", identifier: "0xabc" } as const;
const CREDENTIAL = new Uint8Array(32).fill(7);

async function fill(store: Store): Promise<void> {
  const envelope = (at: number, size: number) => ({
    topic: TOPICS[at % 2] ?? TOPICS[0],
    payload: new Uint8Array(size).fill(at),
    digest: utf8(`digest ${at}`),
    kind: at % 3 === 0 ? ("handshake" as const) : ("application" as const),
  });
  for (let at = 0; at < 1_200; at += 100) {
    await store.groupMessages.append(Array.from({ length: 100 }, (_, index) => envelope(at + index, 100)));
  }
  await store.groupMessages.append([envelope(5_000, 5_000_000), envelope(5_001, 6_000_000), envelope(5_002, 20)]);
  await store.welcomes.append([envelope(1, 10)]);
  const update = { inboxId: "inbox", payload: utf8("update"), digest: utf8("update"), expectedLastId: 0n };
  await store.identity.append({ ...update, added: [WALLET], removed: [] });
  await store.keyPackages.put(utf8("key"), utf8("package"));
  const blob = { epoch: 2n ** 63n, digest: new Uint8Array(32), expiresAtNs: 0n, bytes: utf8("blob") };
  await store.slots.put(utf8("slot"), blob, BOUNDS, 1n, { credentialHash: CREDENTIAL });
}

/** All that a node can read of a store. */
async function contentOf(store: Store): Promise<unknown> {
  const logs = [];
  for (const log of [store.groupMessages, store.welcomes, store.commitLog]) {
    for (const topic of TOPICS) {
      const request = { topic, direction: "ascending", cursor: 0n, limit: 5_000, maxBytes: 2 ** 30 } as const;
      const { entries } = await log.read(request);
      logs.push(entries.map(({ id, createdNs, payload }) => [id, createdNs, payload.length, payload[0]]));
      logs.push(await log.heads([topic]));
    }
  }
  const page = await store.slots.measure({ slotId: utf8("slot"), nowNs: 2n });
  return {
    logs,
    identity: await store.identity.read("inbox", 0n),
    inbox: await store.identity.findInboxes([WALLET]),
    keyPackage: await store.keyPackages.get(utf8("key")),
    page,
    blob: await store.slots.blob(page.blobs[0]?.id ?? 0n),
    admits: [
      await store.slots.admits(utf8("slot"), {}),
      await store.slots.admits(utf8("slot"), { credentialHash: CREDENTIAL }),
    ],
  };
}

async function sqliteContent(dataDir: string): Promise<unknown> {
  const store = openSqliteStore({ ...CONTEXT, dataDir });
  return contentOf(store).finally(() => store.close());
}

async function nextId(store: Store): Promise<bigint | undefined> {
  await store.groupMessages.append([{ topic: utf8("new"), payload: utf8("new"), digest: utf8("new") }]);
  return (await store.groupMessages.heads([utf8("new")]))[0]?.id;
}

describe("moving a node's data", { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.stop());

  test("PGS-07 data goes from SQLite to PostgreSQL and back, interrupted twice, with ids and times", async (t) => {
    const [from, back] = [temporaryDirectory(t), temporaryDirectory(t)];
    const first = openSqliteStore({ ...CONTEXT, dataDir: from });
    await fill(first);
    await first.close();
    const before = await sqliteContent(from);
    const url = await server.createDatabase();
    for (const steps of [1, 2]) {
      const [source, target] = [openSqliteTransfer(from), await openPostgresTransfer(url)];
      let seen = 0;
      const interrupted = transfer(source, target, () => {
        if (++seen === steps) throw new Error("the process is killed");
      });
      await assert.rejects(interrupted, /killed/);
      await source.close();
      await target.close();
    }
    await importToPostgres({ dataDir: from, url });
    const store = await openPostgresStore(url)(CONTEXT);
    assert.deepEqual(await contentOf(store), before);
    const more = await store.slots
      .put(
        utf8("other slot"),
        { epoch: 1n, digest: new Uint8Array(32), expiresAtNs: 0n, bytes: utf8("x") },
        { ...BOUNDS, slotsTotal: 1 },
        2n,
      )
      .catch((error: unknown) => (error instanceof Error && "code" in error ? error.code : error));
    assert.equal(more, "SLOTS_FULL", "the totals of the slots were counted");
    await store.close();

    await exportFromPostgres({ dataDir: back, url });
    assert.deepEqual(await sqliteContent(back), before);
    const again = openSqliteStore({ ...CONTEXT, dataDir: back });
    assert.equal(await nextId(again), 1_204n, "ids go on behind the last one");
    await again.close();
  });

  test("PGS-07 a target with other data is refused, and stays as it was", async (t) => {
    const [one, other] = [temporaryDirectory(t), temporaryDirectory(t)];
    for (const [dataDir, text] of [
      [one, "a"],
      [other, "b"],
    ] as const) {
      const store = openSqliteStore({ ...CONTEXT, dataDir });
      await store.groupMessages.append([{ topic: TOPICS[0], payload: utf8(text), digest: utf8(text) }]);
      await store.close();
    }
    const url = await server.createDatabase();
    await importToPostgres({ dataDir: one, url });
    await assert.rejects(importToPostgres({ dataDir: other, url }), { code: "ARGUMENT_INVALID" });
    await assert.rejects(exportFromPostgres({ dataDir: other, url }), { code: "ARGUMENT_INVALID" });
    const running = openSqliteStore({ ...CONTEXT, dataDir: one });
    await assert.rejects(importToPostgres({ dataDir: one, url }), { code: "STORE_LOCKED" });
    await running.close();
  });

  test("PGS-07 after an older copy was put back, bumped ids are behind all that were given", async (t) => {
    const dataDir = temporaryDirectory(t);
    await openSqliteStore({ ...CONTEXT, dataDir }).close();
    const url = await server.createDatabase();
    for (const where of [dataDir, url]) await bumpIds(where, 1_000n);
    const stores = [openSqliteStore({ ...CONTEXT, dataDir }), await openPostgresStore(url)(CONTEXT)];
    for (const store of stores) {
      assert.equal(await nextId(store), 1_001n);
      await store.close();
    }
    for (const where of [dataDir, url]) await bumpIds(where);
    const bumped = openSqliteStore({ ...CONTEXT, dataDir });
    await bumped.groupMessages.append([{ topic: utf8("new"), payload: utf8("2"), digest: utf8("2") }]);
    assert.equal((await bumped.groupMessages.heads([utf8("new")]))[0]?.id, 100_001_002n);
    await bumped.close();
  });
});
