import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createNode } from "@latchkey/node";
import { createNodeClient } from "../node/create-node-client.ts";
import { generatedSigner, nodeEnvironment } from "../node/index.ts";
import type { Transport } from "../transport/transport.ts";
import { IdentityDirectory } from "./directory.ts";

type GetUpdates = Transport["getIdentityUpdates"];

/** A node with registered inboxes, and the store of somebody who looks at them; `asked` are the requests to the node. */
async function registered(t: TestContext, count: number) {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-directory-"));
  const node = await createNode({ dataDir: join(folder, "node") });
  const { store, transport } = nodeEnvironment({ dbPath: join(folder, "directory.db"), nodeUrl: node.url });
  t.after(async () => {
    transport.close();
    store.close();
    await node.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const signers = Array.from({ length: count }, () => generatedSigner());
  let installations = 0;
  /** One more installation of that inbox. */
  const register = async (index: number) => {
    const dbPath = join(folder, `${installations++}.db`);
    const client = await createNodeClient(signers[index] ?? generatedSigner(), { dbPath, nodeUrl: node.url });
    client.close();
    return client.inboxId;
  };
  const inboxIds: string[] = [];
  for (const index of signers.keys()) inboxIds.push(await register(index));
  const asked: string[][] = [];
  let get: GetUpdates = (requests, signal) => transport.getIdentityUpdates(requests, signal);
  const recorded: Transport = {
    ...transport,
    getIdentityUpdates(requests, signal) {
      asked.push(requests.map(({ inboxId, afterSequenceId }) => `${inboxId} ${afterSequenceId}`));
      return get(requests, signal);
    },
  };
  const latest = await new IdentityDirectory(store, transport).latest(inboxIds);
  const points = latest.map(({ inboxId, sequenceId }) => ({ inboxId, sequenceId }));
  const bytes = store.identityUpdates.list().reduce((sum, { update }) => sum + update.length, 0);
  return {
    points,
    asked,
    bytes,
    register,
    stored: () => store.identityUpdates.list().map(({ inboxId }) => inboxId),
    directory: (maxBytes: number) => new IdentityDirectory(store, recorded, maxBytes),
    answer: (wrapped: (get: GetUpdates) => GetUpdates) => {
      get = wrapped((requests, signal) => transport.getIdentityUpdates(requests, signal));
    },
  };
}

test("SEC-11 identity logs are bounded: when there are too many all are forgotten, and what is needed is asked again", async (t) => {
  const { points, asked, bytes, stored, directory } = await registered(t, 4);
  const [first, second, third, fourth] = points;
  assert.ok(first !== undefined && second !== undefined && third !== undefined && fourth !== undefined);

  const large = directory(bytes);
  const known = await large.lookup(points);
  for (const { inboxId, sequenceId } of points) assert.equal(known(inboxId, sequenceId)?.inboxId, inboxId);
  await large.latest([first.inboxId]);
  assert.deepEqual(asked, [[`${first.inboxId} ${first.sequenceId}`]]);
  assert.equal(stored().length, 4);

  const small = directory(bytes / 2);
  const early = await small.lookup([first]);
  await small.latest([second.inboxId]);
  assert.deepEqual(stored(), [second.inboxId], "all were forgotten, then one came");
  await small.latest([third.inboxId]);
  await small.latest([fourth.inboxId]);
  assert.equal(stored().length, 3, "what one request brings is kept");
  await small.latest([fourth.inboxId]);
  assert.deepEqual(stored(), [fourth.inboxId]);
  assert.equal(early(first.inboxId, first.sequenceId)?.inboxId, first.inboxId, "a lookup stays as it was");

  const again = await small.lookup([first, fourth]);
  assert.deepEqual(asked.at(-1), [`${first.inboxId} 0`]);
  for (const { inboxId, sequenceId } of [first, fourth]) assert.equal(again(inboxId, sequenceId)?.inboxId, inboxId);
  assert.equal(again(third.inboxId, third.sequenceId), undefined, "it answers for what it was asked for");
});

test("an answer that comes when all was forgotten serves whoever asked, and leaves no log without its beginning", async (t) => {
  const { points, asked, bytes, stored, register, directory, answer } = await registered(t, 3);
  const [first, second, third] = points;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const small = directory(Math.ceil((2 * bytes) / 3));
  await small.latest([third.inboxId]);
  await small.latest([first.inboxId]);
  await register(0);
  answer((get) => async (requests, signal) => {
    answer((usual) => usual);
    for (const { inboxId } of [second, third]) await small.latest([inboxId]);
    return get(requests, signal);
  });
  const [latest] = await small.latest([first.inboxId]);
  assert.equal(latest?.state.installations().length, 2);
  assert.deepEqual(asked.at(-3), [`${first.inboxId} ${first.sequenceId}`]);
  assert.deepEqual(stored(), [third.inboxId]);

  const known = await small.lookup([latest]);
  assert.deepEqual(asked.at(-1), [`${first.inboxId} 0`]);
  assert.deepEqual(known(latest.inboxId, latest.sequenceId), latest.state);
  assert.deepEqual(known(first.inboxId, first.sequenceId)?.installations().length, 1);
  assert.deepEqual(stored().sort(), [first.inboxId, first.inboxId, third.inboxId].sort());
});
