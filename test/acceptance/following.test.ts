import assert from "node:assert/strict";
import { test } from "node:test";
import type { Environment } from "@latchkey/client";
import { movableWorld } from "./movable-world.ts";
import { epochOf, failsWith, groupOf, readLog, textsOf, World, type Device } from "./support.ts";

/** The ids of the installations of an inbox that a device sees in a group. */
function devicesIn(device: Device, groupId: string, owner: Device): string[] {
  const member = groupOf(device, groupId)
    .members()
    .find(({ inboxId }) => inboxId === owner.client.inboxId);
  return [...(member?.installations ?? [])].sort();
}

const ids = (...devices: readonly Device[]) => devices.map(({ client }) => client.installationId).sort();

test("DEV-01 a device that is registered later is in every group after one sync of another device of its owner", async (t) => {
  const world = await World.start(t);
  const phone = await world.device("phone");
  const member = await world.device("member");
  const groups = [];
  for (let index = 0; index < 3; index++) {
    groups.push(await phone.client.conversations.createGroup([member.client.inboxId], { name: `Group ${index}` }));
  }
  const laptop = await world.device("laptop", { signer: phone.signer });
  await phone.client.conversations.sync();
  const before = groups.map(({ epoch }) => epoch);
  await laptop.client.conversations.sync();
  for (const { id } of groups) {
    assert.deepEqual(devicesIn(phone, id, phone), ids(phone, laptop));
    await groupOf(laptop, id).send("from the laptop");
  }
  await member.client.conversations.sync();
  for (const group of groups) {
    await group.sync();
    assert.deepEqual(textsOf(groupOf(member, group.id)), ["from the laptop"]);
    assert.deepEqual(textsOf(group), ["from the laptop"]);
  }
  // One commit a group, and nothing is left to do.
  assert.deepEqual(
    groups.map(({ epoch }) => epoch),
    before,
  );
  // The sync of one group is enough for that group.
  const tablet = await world.device("tablet", { signer: phone.signer });
  const [first, second] = groups;
  assert.ok(first !== undefined && second !== undefined);
  await first.sync();
  await tablet.client.conversations.sync();
  assert.deepEqual(
    tablet.client.conversations.list().map(({ id }) => id),
    [first.id],
  );
});

test("DEV-02 while all devices of its owner are off a new device gets in by a send, and by a change, of another member", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await memberGroup.send("before");
  member.client.close();
  const tablet = await world.device("tablet", { signer: member.signer });
  admin.clock.forward(6_000);
  await adminGroup.send("the new device reads this");
  await tablet.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(tablet, adminGroup.id)), ["the new device reads this"]);
  const laptop = await world.device("laptop", { signer: member.signer });
  admin.clock.forward(6_000);
  await adminGroup.updateName("Another name");
  await laptop.client.conversations.sync();
  assert.equal(groupOf(laptop, adminGroup.id).name, "Another name");
  assert.deepEqual(devicesIn(laptop, adminGroup.id, member), ids(member, tablet, laptop));
});

test("DEV-02 a listening member lets a new device of somebody else in within 90 seconds, and not before 30", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, member, adminGroup } = await world.group();
  const stop = new AbortController();
  const stream = adminGroup.stream({ signal: stop.signal });
  const first = stream.next();
  member.client.close();
  const tablet = await world.device("tablet", { signer: member.signer });
  const waitFor = async (done: () => boolean) => {
    for (let turns = 0; turns < 2_000 && !done(); turns++) await new Promise((resolve) => setImmediate(resolve));
  };
  const isIn = () => devicesIn(admin, adminGroup.id, member).length === 2;
  let seconds = 0;
  for (; seconds < 120 && !isIn(); seconds += 5) {
    pass(5);
    admin.clock.forward(5_000);
    await waitFor(isIn);
    if (seconds < 25) assert.ok(!isIn(), `after ${seconds} seconds`);
  }
  assert.ok(isIn());
  assert.ok(seconds <= 95, `${seconds} seconds`);
  await waitFor(() => admin.environment.store.followUps.list().length === 0);
  stop.abort();
  await first;
  await tablet.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(tablet, adminGroup.id)), epochOf(adminGroup));
});

test("DEV-04 a revoked device is out of all groups after one sync of another device of its owner, and is told so", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const phone = await world.device("phone");
  const stolen = await world.device("stolen", { signer: phone.signer });
  await adminGroup.addMembers([phone.client.inboxId]);
  const other = await phone.client.conversations.createGroup([admin.client.inboxId]);
  for (const device of [phone, stolen, admin]) await device.client.conversations.sync();
  await adminGroup.send("read by the thief");
  const onStolen = groupOf(stolen, adminGroup.id);
  await onStolen.sync();
  const inviter = await adminGroup.invites.create();

  await phone.client.revokeInstallations([stolen.client.installationId]);
  await phone.client.conversations.sync();
  for (const id of [adminGroup.id, other.id]) assert.deepEqual(devicesIn(phone, id, phone), ids(phone));
  await adminGroup.send("not read by the thief");

  for (const call of [
    () => stolen.client.conversations.sync(),
    () => onStolen.sync(),
    () => onStolen.send("hello"),
    () => onStolen.updateName("Mine"),
    () => onStolen.stream().next(),
    () => stolen.client.conversations.createGroup([]),
    () => stolen.client.conversations.joinByInvite(inviter.url),
  ]) {
    await failsWith(call(), "IDENTITY_REVOKED");
  }
  // What it has read stays readable, also after a restart, which sends nothing.
  assert.deepEqual(textsOf(onStolen), ["read by the thief"]);
  await world.restart(stolen);
  assert.deepEqual(textsOf(groupOf(stolen, adminGroup.id)), ["read by the thief"]);
  await failsWith(groupOf(stolen, adminGroup.id).send("hello"), "IDENTITY_REVOKED");
});

test("DEV-04 a revocation is committed and merged before the next send of any member that comes five seconds later", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const stolen = await world.device("stolen", { signer: member.signer });
  await adminGroup.updateInstallations();
  await stolen.client.conversations.sync();
  member.client.close();
  const owner = await world.device("owner", { signer: member.signer });
  await owner.client.revokeInstallations([stolen.client.installationId]);
  admin.clock.forward(6_000);
  await adminGroup.send("a secret");
  assert.ok(!devicesIn(admin, adminGroup.id, member).includes(stolen.client.installationId));
  // The thief has a program of its own, which does not look at its identity log.
  await failsWith(groupOf(stolen, adminGroup.id).sync(), "IDENTITY_REVOKED");
  const { store } = stolen.environment;
  assert.deepEqual(
    store.messages.list().map(({ text }) => text),
    [],
  );
});

/** Counts requests by their names. */
function counting(counts: Map<string, number>) {
  return (environment: Environment): Environment => ({
    ...environment,
    transport: new Proxy(environment.transport, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== "function" || name === "close") return value;
        return (...args: unknown[]): unknown => {
          counts.set(String(name), (counts.get(String(name)) ?? 0) + 1);
          return Reflect.apply(value, target, args);
        };
      },
    }),
  });
}

test("a quiet sync of many groups asks for one identity log, and a send for all members at once every five seconds", async (t) => {
  const world = await World.start(t);
  const counts = new Map<string, number>();
  const phone = await world.device("phone", { wrap: counting(counts) });
  const others = [];
  for (let index = 0; index < 3; index++) others.push((await world.device(`member ${index}`)).client.inboxId);
  const groups = [];
  for (let index = 0; index < 6; index++) groups.push(await phone.client.conversations.createGroup(others));
  await phone.client.conversations.sync();
  counts.clear();
  await phone.client.conversations.sync();
  assert.deepEqual([counts.get("getIdentityUpdates"), counts.get("fetchKeyPackages")], [1, undefined]);
  phone.clock.forward(6_000);
  counts.clear();
  for (const group of groups) await group.send("hello");
  assert.equal(counts.get("getIdentityUpdates"), 1);
});

test("DEV-03 a device scans the link of a group that its owner is in: it waits, and is in with a member's Welcome", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.invites.create();
  const laptop = await world.device("laptop", { signer: member.signer });
  const error = await failsWith(laptop.client.conversations.joinByInvite(invite.url), "DEVICE_WAITS");
  assert.deepEqual(error.data, { groupId: adminGroup.id, groupName: "Reading circle", reason: "registered_later" });
  assert.ok(error.retryable);
  assert.match(error.message, /"Reading circle"/);
  assert.match(error.message, /until somebody is online it waits/);
  const pending = () => laptop.client.conversations.listPendingJoins().map(({ groupId, state }) => [groupId, state]);
  assert.deepEqual(pending(), [[adminGroup.id, "WAITING"]]);
  // It is kept, and a second scan and a sync while nobody is online change nothing.
  await world.restart(laptop);
  await failsWith(laptop.client.conversations.joinByInvite(invite.url), "DEVICE_WAITS");
  await laptop.client.conversations.sync();
  assert.deepEqual(pending(), [[adminGroup.id, "WAITING"]]);
  assert.deepEqual(laptop.client.conversations.list(), []);

  await member.client.conversations.sync();
  const [group] = await laptop.client.conversations.sync();
  assert.equal(group?.id, adminGroup.id);
  assert.deepEqual(pending(), []);
  await groupOf(laptop, adminGroup.id).send("in");
  await failsWith(laptop.client.conversations.joinByInvite(invite.url), "ALREADY_MEMBER");
});

test("DEV-03 the inbox is removed while its device waits: the same link joins the group", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.invites.create();
  const laptop = await world.device("laptop", { signer: member.signer });
  await failsWith(laptop.client.conversations.joinByInvite(invite.url), "DEVICE_WAITS");
  await adminGroup.removeMembers([member.client.inboxId]);
  const { group } = await laptop.client.conversations.joinByInvite(invite.url);
  assert.equal(group.id, adminGroup.id);
  await adminGroup.sync();
  await adminGroup.send("welcome");
  await laptop.client.conversations.sync();
  assert.deepEqual(laptop.client.conversations.listPendingJoins(), []);
  assert.deepEqual(devicesIn(laptop, adminGroup.id, member), ids(member, laptop));
});

test("DEV-02 of many members that listen one lets the new device in: two commits at most", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, member, adminGroup } = await world.group();
  const listeners = [admin];
  for (let index = 0; index < 7; index++) listeners.push(await world.device(`listener ${index}`));
  await adminGroup.addMembers(listeners.slice(1).map(({ client }) => client.inboxId));
  for (const device of listeners) await device.client.conversations.sync();
  const before = (await readLog(admin, adminGroup.id)).length;
  const stop = new AbortController();
  const streams = listeners.map((device) => groupOf(device, adminGroup.id).stream({ signal: stop.signal }).next());
  member.client.close();
  await world.device("tablet", { signer: member.signer });
  const turns = async (count: number) => {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  for (let seconds = 0; seconds < 125; seconds++) {
    pass(1);
    for (const { clock } of listeners) clock.forward(1_000);
    await turns(20);
  }
  const isSeen = () => listeners.every((device) => devicesIn(device, adminGroup.id, member).length === 2);
  for (let patience = 0; patience < 200 && !isSeen(); patience++) await turns(20);
  assert.ok(isSeen(), "all have it");
  stop.abort();
  await Promise.allSettled(streams);
  const commits = (await readLog(admin, adminGroup.id)).length - before;
  assert.ok(commits >= 1 && commits <= 2, `${commits} commits`);
});
