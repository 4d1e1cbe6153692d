import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import { createNode } from "../../node.ts";
import { findPostgres, NO_POSTGRES, PostgresServer } from "../../testing/postgres.ts";
import { PostgresProxy } from "../../testing/postgres-proxy.ts";
import {
  cleanUp,
  connect,
  fieldsOf,
  groupMessage,
  slotBlob,
  take,
  textOf,
  type Clients,
} from "../../testing/support.ts";
import type { StoreFactory } from "../storage.ts";
import { LISTENING_TIMES, type ListeningTimes } from "./notifications.ts";
import { connectStore } from "./store.ts";

const skip = findPostgres() === undefined ? NO_POSTGRES : false;

const GROUPS = [utf8("group one"), utf8("group two")] as const;

/** Milliseconds that no test waits for: nothing is found by asking, only by being told. */
const NEVER_MS = 2 ** 30;

async function startNode(t: TestContext, url: string, times: Partial<ListeningTimes> = {}): Promise<Clients> {
  const node = await createNode({
    store: (context) => connectStore(url, context, { ...LISTENING_TIMES, ...times }),
  });
  cleanUp(t, () => node.close());
  return connect(t, node.url);
}

/** Sends until it is taken, as clients do. */
async function sendSurely({ mls }: Clients, group: Uint8Array, text: string): Promise<void> {
  for (;;) {
    try {
      await mls.sendGroupMessages({ messages: [groupMessage(group, text)] });
      return;
    } catch (error) {
      assert.ok(error instanceof ConnectError && error.code === Code.Unavailable, String(error));
      assert.ok(error.metadata.has("retry-after"));
    }
  }
}

async function messagesOf({ mls }: Clients, groupId: Uint8Array): Promise<string[]> {
  const texts: string[] = [];
  let idCursor = 0n;
  for (;;) {
    const { messages } = await mls.queryGroupMessages({ groupId, pagingInfo: { idCursor, limit: 100 } });
    if (messages.length === 0) return texts;
    texts.push(...messages.map(textOf));
    idCursor = fieldsOf(messages.at(-1)).id;
  }
}

describe("PostgreSQL under several nodes", { skip }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await PostgresServer.start();
  });
  after(() => server.stop());

  test("PGS-02 messages sent at two nodes have one order, and streams at both have it", async (t) => {
    const url = await server.createDatabase();
    const nodes = [await startNode(t, url), await startNode(t, url)] as const;
    const filters = GROUPS.map((groupId) => ({ groupId, idCursor: 0n }));
    const streams = nodes.map(({ mls }) => mls.subscribeGroupMessages({ filters })[Symbol.asyncIterator]());
    const senders = [0, 1, 2, 3];
    const perSender = 30;
    await Promise.all(
      senders.map(async (sender) => {
        for (let turn = 0; turn < perSender; turn++) {
          const messages = GROUPS.map((group) => groupMessage(group, `${sender} ${turn}`));
          await nodes[sender % 2 === 0 ? 0 : 1].mls.sendGroupMessages({ messages });
        }
      }),
    );
    const total = GROUPS.length * senders.length * perSender;
    const seen = await Promise.all(streams.map((stream) => take(stream, total)));
    for (const group of GROUPS) {
      const stored = await messagesOf(nodes[0], group);
      assert.equal(new Set(stored).size, senders.length * perSender);
      for (const sender of senders) {
        const own = stored.filter((text) => text.startsWith(`${sender} `));
        assert.deepEqual(
          own,
          Array.from({ length: perSender }, (_, turn) => `${sender} ${turn}`),
        );
      }
      assert.deepEqual(await messagesOf(nodes[1], group), stored);
      for (const messages of seen) {
        const here = messages.filter((message) => Buffer.from(fieldsOf(message).groupId).equals(group));
        assert.deepEqual(here.map(textOf), stored);
        const ids = here.map((message) => fieldsOf(message).id);
        assert.ok(ids.every((id, at) => id > (ids[at - 1] ?? 0n)));
      }
    }
  });

  test("PGS-03 a stream at one node is told of what another one stored", async (t) => {
    const url = await server.createDatabase();
    const told = { heartbeatMs: NEVER_MS, pollMs: NEVER_MS };
    const [here, there] = [await startNode(t, url), await startNode(t, url, told)];
    const [group] = GROUPS;
    const stream = there.mls.subscribeGroupMessages({ filters: [{ groupId: group, idCursor: 0n }] });
    const messages = stream[Symbol.asyncIterator]();
    for (const text of ["first", "second", "third"]) {
      await here.mls.sendGroupMessages({ messages: [groupMessage(group, text)] });
      assert.deepEqual((await take(messages, 1)).map(textOf), [text]);
    }
  });

  test("PGS-03 a stream finds what no notification told of: they are lost, or the listening connection is", async (t) => {
    const url = await server.createDatabase();
    const here = await startNode(t, url);
    const asking = await startNode(t, url, { heartbeatMs: NEVER_MS, pollMs: 20 });
    const listening = await startNode(t, url, { heartbeatMs: NEVER_MS, pollMs: NEVER_MS });
    const [group] = GROUPS;
    const streams = [asking, listening].map(({ mls }) =>
      mls.subscribeGroupMessages({ filters: [{ groupId: group, idCursor: 0n }] })[Symbol.asyncIterator](),
    );
    await here.mls.sendGroupMessages({ messages: [groupMessage(group, "first")] });
    for (const stream of streams) assert.deepEqual((await take(stream, 1)).map(textOf), ["first"]);

    // A row that no process announces.
    await server.run(
      url,
      `INSERT INTO group_messages (created_ns, kind, topic, digest, payload)
         SELECT created_ns + 1, kind, topic, 'other', payload FROM group_messages`,
    );
    const [first, second] = streams;
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual((await take(first, 1)).map(textOf), ["first"], "asked for");
    await server.run(
      url,
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'listen%' OR query ILIKE '%pg_backend_pid() AS pid%' AND pid <> pg_backend_pid()",
    );
    assert.deepEqual((await take(second, 1)).map(textOf), ["first"], "asked for when the connection came back");
    await here.mls.sendGroupMessages({ messages: [groupMessage(group, "last")] });
    for (const stream of [first, second]) assert.deepEqual((await take(stream, 1)).map(textOf), ["last"]);
  });

  test("PGS-09 the bounds of the slots hold over two nodes; rates do where a proxy routes an address to one node", async (t) => {
    const url = await server.createDatabase();
    const limits = { slotsTotal: 3, rpcBurst: 2, rpcPerSecond: 0.001 };
    const store: StoreFactory = (context) => connectStore(url, context, LISTENING_TIMES);
    const nodes = [
      await createNode({ store, limits, trustForwardedFor: true }),
      await createNode({ store, limits, trustForwardedFor: true }),
    ] as const;
    for (const node of nodes) cleanUp(t, () => node.close());

    const statuses = [];
    for (let at = 0; at < 4; at++) {
      const slot = `${nodes[at % 2 === 0 ? 0 : 1].url}/v1/slots/0011223${at}`;
      statuses.push((await fetch(slot, { method: "PUT", body: Buffer.from(slotBlob(`blob ${at}`)) })).status);
    }
    assert.deepEqual(statuses, [201, 201, 201, 507], "the slots of both nodes are counted together");

    const clients = nodes.map((node) => connect(t, node.url));
    const call = async (routed: (address: string, turn: number) => number, address: string): Promise<number> => {
      let taken = 0;
      for (let turn = 0; turn < 8; turn++) {
        const mls = clients[routed(address, turn)]?.mls;
        const headers = { "x-forwarded-for": address };
        const query = mls?.queryGroupMessages({ groupId: GROUPS[0] }, { headers });
        if ((await query?.catch(() => undefined)) !== undefined) taken += 1;
      }
      return taken;
    };
    const byAddress = (address: string): number => hash("sha256", address, "buffer").readUInt8() % 2;
    assert.equal(await call(byAddress, "192.0.2.1"), 2, "routed by a hash of the address");
    assert.equal(await call((_, turn) => turn % 2, "192.0.2.2"), 4, "in turn: each node has a rate of its own");
  });

  test("PGS-04 a database that crashes, ends connections, is cut off and moves loses nothing, and streams go on", async (t) => {
    let primary = await PostgresServer.start();
    cleanUp(t, () => primary.stop());
    const network = await PostgresProxy.start(primary.socket);
    cleanUp(t, () => network.close());
    const url = network.url(await primary.createDatabase());
    const nodes = [await startNode(t, url), await startNode(t, url)] as const;
    const [group] = GROUPS;
    const stream = nodes[1].mls.subscribeGroupMessages({ filters: [{ groupId: group, idCursor: 0n }] });
    const messages = stream[Symbol.asyncIterator]();
    let acknowledged = 0;
    let isOver = false;
    const send = async (sender: number): Promise<number> => {
      let turn = 0;
      for (; !isOver; turn++) {
        await sendSurely(nodes[sender % 2 === 0 ? 0 : 1], group, `${sender} ${turn}`);
        acknowledged += 1;
      }
      return turn;
    };
    const senders = [0, 1, 2, 3].map(send);
    const progress = async (): Promise<void> => {
      const before = acknowledged;
      while (acknowledged < before + 40)
        await take(messages, 1).then(([message]) => seen.push(textOf(message ?? assert.fail())));
    };
    const seen: string[] = [];
    const faults: (() => Promise<void>)[] = [
      async () => {
        await primary.halt("SIGQUIT");
        await primary.resume();
      },
      async () => {
        await primary.run(
          "postgres",
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'latchkey' AND pid <> pg_backend_pid()",
        );
      },
      async () => {
        network.cut();
        await primary.run("postgres", "SELECT 1");
        network.mend();
      },
      async () => {
        network.cut();
        await primary.halt("SIGINT");
        const next = await primary.copy();
        await primary.stop();
        primary = next;
        network.mend(next.socket);
      },
    ];
    for (const fault of faults) {
      await progress();
      await fault();
    }
    await progress();
    isOver = true;
    const sent = await Promise.all(senders);
    const total = sent.reduce((sum, turns) => sum + turns, 0);
    seen.push(...(await take(messages, total - seen.length)).map(textOf));
    const stored = await messagesOf(nodes[0], group);
    assert.equal(stored.length, total, "each message once");
    assert.deepEqual(
      stored.toSorted(),
      sent.flatMap((turns, sender) => Array.from({ length: turns }, (_, turn) => `${sender} ${turn}`)).sort(),
    );
    assert.deepEqual(seen, stored, "the stream has each once and in order, and has never ended");
  });

  test("PGS-05 a full disk refuses whole batches with STORE_FULL, reads go on, and writes when there is room", async (t) => {
    const small = await PostgresServer.start();
    cleanUp(t, () => small.stop());
    const url = await small.createDatabase();
    const node = await startNode(t, url);
    const [group] = GROUPS;
    await node.mls.sendGroupMessages({ messages: [groupMessage(group, "before")] });
    const disk = mountSmallDisk(t, small);
    if (disk === undefined) {
      t.diagnostic("no small disk can be mounted here: the server only says that it is full");
      const says = "BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END";
      await small.run(url, `CREATE FUNCTION full_1() RETURNS trigger LANGUAGE plpgsql AS $$ ${says} $$`);
      const full =
        "CREATE TRIGGER full_1 BEFORE INSERT ON group_messages FOR EACH ROW WHEN (octet_length(new.payload) > 1000)";
      await small.run(url, `${full} EXECUTE FUNCTION full_1()`);
    } else {
      await small.run("postgres", `CREATE TABLESPACE small LOCATION '${disk.path}'`);
      await small.run(url, "ALTER TABLE group_messages SET TABLESPACE small");
    }
    const large = (text: string) => groupMessage(group, text.padEnd(1_000_000, "x"));
    const full = async (): Promise<ConnectError | undefined> => {
      const batch = [groupMessage(group, "of a batch"), large(`${Math.random()}`)];
      const error: unknown = await node.mls.sendGroupMessages({ messages: batch }).then(
        () => undefined,
        (cause: unknown) => cause,
      );
      return error === undefined ? undefined : ConnectError.from(error);
    };
    let refused = await full();
    for (let at = 0; refused === undefined && at < 100; at++) refused = await full();
    assert.equal(refused?.code, Code.Unavailable);
    assert.equal(refused.metadata.get("x-latchkey-error"), "STORE_FULL");
    const { messages } = await node.mls.queryGroupMessages({ groupId: group, pagingInfo: { limit: 1 } });
    assert.deepEqual(messages.map(textOf), ["before"]);
    const stored = await small.run(
      url,
      "SELECT count(*)::integer AS n FROM group_messages WHERE octet_length(payload) < 1000",
    );
    if (disk === undefined) assert.deepEqual(stored, [{ n: 1 }], "nothing of the refused batch is there");
    if (disk === undefined) await small.run(url, "DROP TRIGGER full_1 ON group_messages");
    else disk.enlarge();
    await sendSurely(node, group, "after");
    assert.deepEqual((await messagesOf(node, group)).at(-1), "after");
  });
});

/** A disk of its own for a table; undefined where this process may not mount one. */
function mountSmallDisk(t: TestContext, server: PostgresServer): { path: string; enlarge: () => void } | undefined {
  const mountPoint = join(server.directory, "small");
  mkdirSync(mountPoint);
  const mount = (...args: string[]) => execFileSync("mount", [...args, mountPoint], { stdio: "ignore" });
  try {
    mount("-t", "tmpfs", "-o", "size=12m,mode=0777", "tmpfs");
  } catch {
    return undefined;
  }
  cleanUp(t, async () => {
    await server.halt("SIGQUIT");
    execFileSync("umount", [mountPoint]);
  });
  const path = join(mountPoint, "space");
  mkdirSync(path);
  server.giveToServer(path);
  return { path, enlarge: () => mount("-o", "remount,size=64m") };
}
