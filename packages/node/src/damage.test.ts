import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
  closeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ConnectError } from "@connectrpc/connect";
import { utf8 } from "@latchkey/mls";
import { openSqliteStore } from "./storage/sqlite/store.ts";
import { cleanUp, connect, groupMessage, slotBlob, startNode, temporaryDirectory, textOf } from "./testing/support.ts";

const GROUP = utf8("sixteen bytes id");

/** What happens to the files of a database while its node runs, given the files of another node. */
const DAMAGES: Readonly<Record<string, (file: string, other: string) => void>> = {
  deleted: (file) => rmSync(file),
  "moved away": (file) => renameSync(file, `${file}.away`),
  "replaced by another database": (file, other) => {
    copyFileSync(other, `${file}.new`);
    renameSync(`${file}.new`, file);
  },
  "overwritten with another database": (file, other) => copyFileSync(other, file),
  "cut to half": (file) => truncateSync(file, statSync(file).size / 2),
  emptied: (file) => truncateSync(file, 0),
  "overwritten at its beginning": (file) => {
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, "this is no database");
    closeSync(descriptor);
  },
  "deprived of its write-ahead log": (file) => rmSync(`${file}-wal`),
  "deprived of half of its write-ahead log": (file) => truncateSync(`${file}-wal`, statSync(`${file}-wal`).size / 2),
};

async function startWithMessages(t: Parameters<typeof startNode>[0]) {
  const dataDir = temporaryDirectory(t);
  const node = await startNode(t, { dataDir });
  const { mls } = connect(t, node.url);
  const send = (text: string) => mls.sendGroupMessages({ messages: [groupMessage(GROUP, text)] });
  for (const text of ["one", "two"]) await send(text.repeat(5_000));
  return { node, mls, send, file: join(dataDir, "node.sqlite") };
}

describe("a database that changes under a running node", () => {
  for (const [how, damage] of Object.entries(DAMAGES)) {
    test(`TRU-20 the database is ${how}: nothing is acknowledged any more, and /healthz says so`, async (t) => {
      const other = await startWithMessages(t);
      await other.node.close();
      const { node, send, file } = await startWithMessages(t);
      assert.equal((await fetch(`${node.url}/healthz`)).status, 200);
      assert.ok(existsSync(`${file}-wal`));
      damage(file, other.file);

      await assert.rejects(send("three"), (error) => {
        assert.ok(error instanceof ConnectError);
        return error.metadata.get("x-latchkey-error") === "STORE_DAMAGED";
      });
      const body = Buffer.from(slotBlob("a blob"));
      assert.equal((await fetch(`${node.url}/v1/slots/00112233`, { method: "PUT", body })).status, 500);
      const health = await fetch(`${node.url}/healthz`);
      assert.equal(health.status, 500);
      assert.equal(((await health.json()) as { code: string }).code, "STORE_DAMAGED");
      assert.match(await (await fetch(node.metricsUrl)).text(), /storage_errors_total\{code="STORE_DAMAGED"\} 3/);
    });
  }

  test("TRU-20 pages that nothing reads were overwritten: an inspection finds it, and nothing is acknowledged then", async (t) => {
    const dataDir = temporaryDirectory(t);
    let wallNs = 1n;
    const store = openSqliteStore({ dataDir, maxBytes: 0, clock: () => wallNs++ });
    cleanUp(t, () => store.close());
    const append = (count: number) => {
      const digest = new Uint8Array(32).fill(count);
      return store.welcomes.append([{ topic: GROUP, digest, payload: new Uint8Array(200_000).fill(count) }]);
    };
    // More than a thousand pages, after which SQLite moves the write-ahead log into the file.
    for (let count = 0; count < 40; count++) await append(count);
    await store.inspect();
    const file = join(dataDir, "node.sqlite");
    const descriptor = openSync(file, "r+");
    const { size } = statSync(file);
    for (let at = 65_536; at < size; at += 65_536)
      writeSync(descriptor, new Uint8Array(8_192).fill(0x55), 0, 8_192, at);
    closeSync(descriptor);
    await assert.rejects(store.inspect(), { code: "STORE_DAMAGED" });
    await assert.rejects(append(41), { code: "STORE_DAMAGED" });
    await assert.rejects(store.check(), { code: "STORE_DAMAGED" });
  });

  test("TRU-20 checkpoints, growth and a restart are no damage", async (t) => {
    const dataDir = temporaryDirectory(t);
    for (let start = 0; start < 2; start++) {
      const node = await startNode(t, { dataDir });
      const { mls } = connect(t, node.url);
      // More than a thousand pages, after which SQLite moves the write-ahead log into the file.
      for (let index = 0; index < 8; index++) {
        await mls.sendGroupMessages({ messages: [groupMessage(GROUP, `${start} ${index}`.repeat(200_000))] });
      }
      assert.equal((await fetch(`${node.url}/healthz`)).status, 200);
      assert.equal((await mls.queryGroupMessages({ groupId: GROUP })).messages.map(textOf).length, 8 * (start + 1));
      await node.close();
    }
  });
});
