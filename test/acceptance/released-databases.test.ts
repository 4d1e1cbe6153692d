import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { Client, systemClock, type Clock } from "@latchkey/client";
import { generatedSigner, nodeEnvironment } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";

/**
 * Databases that release 0.1.0 wrote: of a client with a group, messages, key packages, an own message and a join that
 * had not left yet; and of its node, with the slot of the invite. A released file is never changed.
 */
const RELEASE = join(import.meta.dirname, "released/0.1.0");

interface Facts {
  readonly inboxId: string;
  readonly installationId: string;
  /** Group of the client. */
  readonly own: string;
  /** Group that it was about to join. */
  readonly joined: string;
  readonly madeAtNs: string;
}

const facts = JSON.parse(readFileSync(join(RELEASE, "facts.json"), "utf8")) as Facts;

/** The time goes on where the databases were closed, so that nothing in them runs out. */
function clockOfRelease(): Clock {
  const offsetNs = BigInt(facts.madeAtNs) - systemClock.nowNs();
  return { ...systemClock, nowNs: () => systemClock.nowNs() + offsetNs };
}

async function openRelease(t: TestContext, file: string, dbEncryptionKey?: Uint8Array) {
  const folder = mkdtempSync(join(tmpdir(), "latchkey-released-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "node");
  mkdirSync(dataDir);
  const unpack = (from: string, to: string) => writeFileSync(to, gunzipSync(readFileSync(join(RELEASE, `${from}.gz`))));
  unpack("node.sqlite", join(dataDir, "node.sqlite"));
  const dbPath = join(folder, "client.db");
  unpack(file, dbPath);
  const clock = clockOfRelease();
  const node = await createNode({ dataDir, nowNs: () => clock.nowNs() });
  t.after(() => node.close());
  const key = dbEncryptionKey === undefined ? {} : { dbEncryptionKey };
  const options = { dbPath, nodeUrl: node.url, keepInvitesFresh: false, ...key };
  const signer = generatedSigner(new Uint8Array(32).fill(7));
  const client = await Client.create(signer, { ...nodeEnvironment(options), clock });
  t.after(() => client.close());
  return { client, node };
}

async function goesOn(client: Client): Promise<void> {
  assert.equal(client.inboxId, facts.inboxId);
  assert.equal(client.installationId, facts.installationId);
  await client.conversations.sync();
  const own = client.conversations.get(facts.own);
  assert.ok(own !== undefined);
  assert.equal(own.name, "Choir");
  await own.send("written by a later version");
  assert.deepEqual(
    own.messages().flatMap(({ text }) => text ?? []),
    ["written by the guest", "answered by the member", "waits in the outbox", "written by a later version"],
  );
  assert.deepEqual(
    client.conversations.listPendingJoins().map(({ groupId, state }) => [groupId, state]),
    [[facts.joined, "JOINED"]],
  );
  const joined = client.conversations.get(facts.joined);
  assert.equal(joined?.name, "Reading circle");
  await joined.send("the join of 0.1.0 is done");
}

for (const [file, key] of [
  ["client.db", undefined],
  ["client-encrypted.db", new Uint8Array(32).fill(9)],
] as const) {
  test(`SEC-09 the databases of 0.1.0 open and go on: ${file} and its node's`, async (t) => {
    const { client } = await openRelease(t, file, key);
    await goesOn(client);
  });
}

test("SEC-09 a node of today serves the slots that 0.1.0 held", async (t) => {
  const { client, node } = await openRelease(t, "client.db");
  await client.conversations.sync();
  const slot = client.conversations.get(facts.joined)?.invite?.externalGroupId;
  assert.ok(slot !== undefined);
  const response = await fetch(`${node.url}/v1/slots/${slot}`);
  assert.equal(response.status, 200);
});
