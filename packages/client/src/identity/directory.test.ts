import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createNode } from "@latchkey/node";
import {
  addInstallationUpdate,
  createInboxUpdate,
  InstallationKey,
  localWallet,
  verifySignature,
  type WalletSigner,
} from "@latchkey/xmtp";
import type { IdentityUpdate } from "@latchkey/xmtp/proto";
import { createNodeClient } from "../node/create-node-client.ts";
import { generatedSigner, nodeEnvironment } from "../node/index.ts";
import type { Transport } from "../transport/transport.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { openSqliteStore } from "../node/sqlite-store.ts";
import { judgeInWorkers } from "../node/signature-workers.ts";
import { IdentityDirectory } from "./directory.ts";
import type { JudgeLogs } from "./judge-ahead.ts";
import { SignatureTurns } from "./signature-turns.ts";

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
  const bytes =
    store.identityUpdates.list().reduce((sum, { update }) => sum + update.length, 0) +
    store.identityVerdicts.list().reduce((sum, { verdict }) => sum + verdict.length, 0);
  return {
    points,
    asked,
    bytes,
    register,
    stored: () => store.identityUpdates.list().map(({ inboxId }) => inboxId),
    directory: (maxBytes: number) => new IdentityDirectory(store, recorded, { maxBytes }),
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
  for (const { inboxId, sequenceId } of points) assert.equal(known.stateAfter(inboxId, sequenceId)?.inboxId, inboxId);
  await large.latest([first.inboxId]);
  assert.deepEqual(asked, [[`${first.inboxId} ${first.sequenceId - 1n}`]]);
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
  assert.equal(early.stateAfter(first.inboxId, first.sequenceId)?.inboxId, first.inboxId, "a lookup stays as it was");

  const again = await small.lookup([first, fourth]);
  assert.deepEqual(asked.at(-1), [`${first.inboxId} 0`]);
  for (const { inboxId, sequenceId } of [first, fourth])
    assert.equal(again.stateAfter(inboxId, sequenceId)?.inboxId, inboxId);
  assert.equal(again.stateAfter(third.inboxId, third.sequenceId), undefined, "it answers for what it was asked for");
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
  assert.deepEqual(asked.at(-3), [`${first.inboxId} ${first.sequenceId - 1n}`]);
  assert.deepEqual(stored(), [third.inboxId]);

  const known = await small.lookup([latest]);
  assert.deepEqual(asked.at(-1), [`${first.inboxId} 0`]);
  assert.deepEqual(known.stateAfter(latest.inboxId, latest.sequenceId), latest.state);
  assert.deepEqual(known.stateAfter(first.inboxId, first.sequenceId)?.installations().length, 1);
  assert.deepEqual(stored().sort(), [first.inboxId, first.inboxId, third.inboxId].sort());
});

const TIME_NS = 1_700_000_000_000_000_000n;

/** An inbox with that many installations, each by an update of its own. */
async function log(
  installations: number,
): Promise<{ inboxId: string; wallet: WalletSigner; updates: IdentityUpdate[] }> {
  const wallet = localWallet();
  const key = () => new InstallationKey(crypto.getRandomValues(new Uint8Array(32)));
  const first = await createInboxUpdate({ wallet, nonce: 1n, installation: key(), timestampNs: TIME_NS });
  const { inboxId } = first;
  const updates = [first];
  while (updates.length < installations) {
    updates.push(await addInstallationUpdate({ wallet, inboxId, installation: key(), timestampNs: TIME_NS }));
  }
  return { inboxId, wallet, updates };
}

/** A directory on a store of its own over logs that a transport serves; `turns` has the verifications of each turn. */
function served(t: TestContext, logs: ReadonlyMap<string, readonly IdentityUpdate[]>) {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-directory-"));
  const store = openSqliteStore(join(folder, "directory.db"));
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const refuse = () => Promise.reject(new Error("nothing else is asked"));
  const transport = new Proxy({} as Transport, {
    get: (_, method): unknown => {
      if (method !== "getIdentityUpdates") return refuse;
      return async (...[requests]: Parameters<GetUpdates>) =>
        requests.map(({ inboxId, afterSequenceId }) =>
          (logs.get(inboxId) ?? [])
            .map((update, index) => ({ sequenceId: BigInt(index + 1), serverTimestampNs: TIME_NS, update }))
            .filter(({ sequenceId }) => sequenceId > afterSequenceId),
        );
    },
  });
  const open = (judgeLogs?: JudgeLogs) => {
    const verifications = [0];
    const turns = new SignatureTurns(
      (text, signature) => {
        verifications[verifications.length - 1] = (verifications.at(-1) ?? 0) + 1;
        return verifySignature(text, signature);
      },
      async () => {
        await new Promise((resolve) => setImmediate(resolve));
        verifications.push(0);
      },
    );
    return { directory: new IdentityDirectory(store, transport, { turns, judgeLogs }), verifications };
  };
  return { store, open };
}

const total = (verifications: readonly number[]) => verifications.reduce((sum, count) => sum + count, 0);

test("TRU-03 logs are verified a few signatures a turn, all lookups together, and by no later start", async (t) => {
  const [first, second] = [await log(9), await log(7)];
  const { store, open } = served(t, new Map([first, second].map(({ inboxId, updates }) => [inboxId, updates])));
  const { directory, verifications } = open();
  const ids = [first.inboxId, second.inboxId];
  const [together] = await Promise.all([
    directory.latest(ids),
    directory.latest(ids),
    directory.latest([...ids].reverse()),
  ]);
  assert.deepEqual(
    together.map(({ state }) => state.installations().length),
    [9, 7],
  );
  assert.equal(total(verifications), 2 * 16, "each signature once, though three asked");
  assert.ok(Math.max(...verifications) <= CLIENT_LIMITS.identityWorkPerTurn / CLIENT_LIMITS.identityWorkPerSignature);

  const again = open();
  const known = await again.directory.lookup([{ inboxId: first.inboxId, sequenceId: 9n }]);
  assert.equal(known.stateAfter(first.inboxId, 9n)?.installations().length, 9);
  assert.equal((await again.directory.latestOf(second.inboxId)).state.installations().length, 7);
  assert.equal(total(again.verifications), 0);

  store.transaction(({ identityVerdicts }) => identityVerdicts.delete());
  const old = open();
  await old.directory.latestOf(first.inboxId);
  assert.equal(total(old.verifications), 18, "a database from before verdicts were kept");
  assert.equal(store.identityVerdicts.count(first.inboxId), 9);
});

test("TRU-03 a verdict counts for the bytes it was given for, also when it was a refusal", async (t) => {
  const { inboxId, updates } = await log(3);
  const [, second, third] = updates;
  assert.ok(second !== undefined && third !== undefined);
  const wrong = { ...second, clientTimestampNs: second.clientTimestampNs + 1_000_000_000n };
  const logs = new Map([[inboxId, [...updates.slice(0, 1), wrong, third]]]);
  const { open } = served(t, logs);
  const before = open();
  assert.equal((await before.directory.latestOf(inboxId)).sequenceId, 1n);
  const spent = total(before.verifications);
  assert.equal((await before.directory.latestOf(inboxId)).sequenceId, 1n);
  assert.equal((await open().directory.latestOf(inboxId)).sequenceId, 1n);
  assert.equal(total(before.verifications), spent, "what was refused is not verified again");

  logs.set(inboxId, updates);
  assert.equal((await open().directory.latestOf(inboxId)).sequenceId, 3n, "an honest answer is read");
});

test("TRU-03 states are kept in memory up to a bound, and read from disk behind it", async (t) => {
  const all = [await log(4), await log(4), await log(4)];
  const logs = new Map(all.map(({ inboxId, updates }) => [inboxId, updates]));
  const { store, open } = served(t, logs);
  const { directory, verifications } = open();
  await directory.latest([...logs.keys()]);
  const spent = total(verifications);
  let rows = 0;
  const counted = new Proxy(store, {
    get(target, name): unknown {
      const table: unknown = Reflect.get(target, name);
      return name !== "identityUpdates"
        ? table
        : { ...target.identityUpdates, list: (...key: [string]) => (rows++, target.identityUpdates.list(...key)) };
    },
  });
  const bounded = new IdentityDirectory(counted, {} as Transport, { maxEntries: 60 });
  const read = async ({ inboxId }: { inboxId: string }) => {
    const known = await bounded.lookup([{ inboxId, sequenceId: 4n }]);
    assert.equal(known.stateAfter(inboxId, 4n)?.installations().length, 4);
  };
  for (const inbox of all) await read(inbox);
  assert.equal(rows, 3);
  for (const inbox of all.slice(-1)) await read(inbox);
  assert.equal(rows, 3, "in memory");
  for (const inbox of all.slice(0, 1)) await read(inbox);
  assert.equal(rows, 4, "the first made room");
  assert.equal(total(verifications), spent);
});

test("SPD-03 signatures of many logs are verified in other threads, with the verdicts of the rule, and kept", async (t) => {
  const all = await Promise.all(Array.from({ length: 36 }, (_, index) => log(1 + (index % 3))));
  const [bad] = all.slice(-1);
  assert.ok(bad !== undefined);
  const logs = new Map(all.map(({ inboxId, updates }) => [inboxId, updates]));
  const [first, second, third] = bad.updates;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  logs.set(bad.inboxId, [first, { ...second, clientTimestampNs: second.clientTimestampNs + 1_000_000_000n }, third]);
  const { store, open } = served(t, logs);
  const { directory, verifications } = open(judgeInWorkers);
  const ids = [...logs.keys()];
  const latest = await directory.latest(ids);
  assert.equal(total(verifications), 0, "none on the event loop");
  const expected = all.map(({ updates }, index) => (index === all.length - 1 ? 1 : updates.length));
  assert.deepEqual(
    latest.map(({ state }) => state.installations().length),
    expected,
  );
  const alone = served(t, logs);
  await alone.open().directory.latest(ids);
  assert.deepEqual(store.identityVerdicts.list(), alone.store.identityVerdicts.list());

  const again = open(judgeInWorkers);
  await again.directory.latest(ids);
  assert.equal(total(again.verifications), 0);
});

test("SPD-03 what the threads do not judge is verified in turns", async (t) => {
  const { inboxId, updates } = await log(3);
  const { store, open } = served(t, new Map([[inboxId, updates]]));
  for (const judge of [async () => undefined, async () => [], async () => [[undefined, new Uint8Array([1])]]]) {
    const { directory, verifications } = open(judge);
    assert.equal((await directory.latestOf(inboxId)).sequenceId, 3n);
    assert.equal(total(verifications), 6);
    store.transaction((tables) => {
      tables.identityUpdates.delete();
      tables.identityVerdicts.delete();
    });
  }
});
