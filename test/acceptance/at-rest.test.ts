import assert from "node:assert/strict";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import type { Store } from "@latchkey/client";
import { movableWorld } from "./movable-world.ts";
import { failsWith, groupOf, World, type Device } from "./support.ts";

const WINDOW = 32;

/** Every run of 32 bytes that has enough different ones to be a key and no filling. */
function windowsOf(bytes: Uint8Array, into: Set<string>): Set<string> {
  const text = Buffer.from(bytes).toString("latin1");
  for (let start = 0; start + WINDOW <= text.length; start++) into.add(text.slice(start, start + WINDOW));
  return into;
}

/** All values of all tables. */
function valuesOf(store: Store): Uint8Array[] {
  const tables = Object.values(store).filter((table) => typeof table === "object") as unknown as {
    list(): Record<string, unknown>[];
  }[];
  const values = tables.flatMap((table) => table.list()).flatMap((row): unknown[] => Object.values(row));
  return values.flatMap((value) => {
    if (value instanceof Uint8Array) return [value];
    return typeof value === "string" ? [Buffer.from(value)] : [];
  });
}

/** Runs of bytes of a device's keys: its key packages and the state of its groups. */
function keysOf({ environment: { store } }: Device, into: Set<string>): void {
  for (const { bundle } of store.keyPackages.list()) windowsOf(bundle, into);
  for (const { value } of store.groupRows.list()) windowsOf(value, into);
  for (const { rows } of store.pendingCommits.list()) windowsOf(rows, into);
}

function filesOf({ dbPath }: Device): Buffer {
  const folder = dbPath.slice(0, dbPath.lastIndexOf("/"));
  const names = readdirSync(folder).map((name) => `${folder}/${name}`);
  return Buffer.concat(names.filter((name) => name.startsWith(dbPath)).map((name) => readFileSync(name)));
}

test("SEC-09 used key packages, past epochs and spent message keys are in no byte of a device's files", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, adminGroup } = await world.group();
  const device = await world.device("newcomer");
  const keys = new Set<string>();
  keysOf(device, keys);
  await adminGroup.addMembers([device.client.inboxId]);
  await device.client.conversations.sync();
  const group = groupOf(device, adminGroup.id);
  for (let round = 0; round < 8; round++) {
    keysOf(device, keys);
    await (round % 2 === 0 ? group : adminGroup).send(`message ${round}`);
    keysOf(device, keys);
    await adminGroup.updateName(`name ${round}`);
    await group.sync();
  }
  // The key package that the Welcome used goes a day after it was replaced, with the next rotation.
  for (let month = 0; month < 2; month++) {
    keysOf(device, keys);
    pass(31 * 86_400);
    device.clock.forward(31 * 86_400_000);
    admin.clock.forward(31 * 86_400_000);
    await world.restart(device);
  }
  const kept = new Set<string>();
  for (const value of valuesOf(device.environment.store)) windowsOf(value, kept);
  device.client.close();
  const onDisk = windowsOf(filesOf(device), new Set());
  const gone = [...keys].filter((run) => !kept.has(run) && new Set(run).size > 16);
  assert.ok(gone.length > 1_000, `${gone.length} runs of bytes were deleted`);
  assert.ok(
    [...keys].some((run) => kept.has(run) && onDisk.has(run)),
    "what was kept is found on disk",
  );
  assert.equal(gone.filter((run) => onDisk.has(run)).length, 0);
});

test("SEC-09 with an encrypted database a client joins, talks and restarts as ever; the file tells nobody what about", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const signer = generatedSigner();
  const keyless = { dbPath: world.path("sealed.db"), nodeUrl: world.node.url };
  const options = { ...keyless, dbEncryptionKey: new Uint8Array(32).fill(9) };
  const joiner = await createNodeClient(signer, options);
  const { group } = await joiner.conversations.joinByInvite(invite.url);
  await group.send("something that is only for us");
  const { epochAuthenticator } = group;
  joiner.close();
  const file = readFileSync(options.dbPath);
  for (const text of ["something that is only for us", "Reading circle", joiner.inboxId]) {
    // The inbox id stands in the log of identity updates, which is public.
    assert.equal(file.includes(text), text === joiner.inboxId, text);
  }

  await failsWith(createNodeClient(signer, keyless), "STORE_KEY_MISSING");
  await failsWith(createNodeClient(signer, { ...options, dbEncryptionKey: new Uint8Array(32) }), "STORE_KEY_WRONG");
  const again = await createNodeClient(signer, options);
  t.after(() => again.close());
  const restored = again.conversations.get(group.id);
  assert.ok(restored !== undefined);
  assert.equal(restored.epochAuthenticator, epochAuthenticator);
  await adminGroup.send("we read you");
  await restored.sync();
  assert.deepEqual(
    restored.messages().map(({ text }) => text),
    ["something that is only for us", "we read you"],
  );
});

test("SEC-09 a database that was copied while its client was open makes no client; the original goes on", async (t) => {
  const world = await World.start(t);
  const { member, memberGroup } = await world.group();
  const copy = world.path("copy.db");
  copyFileSync(member.dbPath, copy);
  await failsWith(createNodeClient(member.signer, { dbPath: copy, nodeUrl: world.node.url }), "STORE_DAMAGED");
  await memberGroup.send("still here");
});
