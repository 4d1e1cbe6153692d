import assert from "node:assert/strict";
import { test } from "node:test";
import type { Defect } from "@latchkey/client";
import { publishGarbage, type Garbage } from "./garbage.ts";
import { epochOf, failsWith, groupOf, NO_TRACES, traces, World, type Device, type Wrap } from "./support.ts";
import { Waits } from "./waits.ts";

const KINDS: readonly Garbage[] = ["public", "private"];
const MINUTE_MS = 60_000;

/** What a device asks of the invite service. */
function noting(calls: string[]): Wrap {
  return (environment) => {
    const { slots } = environment;
    const note = (name: string) => calls.push(name);
    const noted: typeof slots = {
      upload: async (...args) => (note("upload"), slots.upload(...args)),
      fetch: async (...args) => (note("fetch"), slots.fetch(...args)),
      exists: async (...args) => (note("exists"), slots.exists(...args)),
    };
    return { ...environment, slots: noted };
  };
}

/** A group with an invite, and somebody who has the link and wants to keep others out. */
async function poster(world: World) {
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const troll = await world.device("troll");
  const litter = (kind: Garbage) => publishGarbage(troll, invite.payload, world.node.url, kind);
  return { admin, member, adminGroup, memberGroup, invite, litter };
}

for (const kind of KINDS) {
  test(`SEC-12 a refused commit (${kind}) closes an invite only until any member was online for a moment`, async (t) => {
    const world = await World.start(t);
    const { member, adminGroup, invite, litter } = await poster(world);
    await litter(kind);
    const joiner = await world.device("joiner");
    const { conversations } = joiner.client;
    const error = await failsWith(conversations.joinByInvite(invite.url), "INVITE_STALE");
    assert.equal(error.retryable, true);
    assert.deepEqual(traces(joiner), NO_TRACES);

    await member.client.conversations.sync();
    const { group } = await conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    assert.equal(adminGroup.rejections().length, 1);
  });
}

test("SEC-12 refused commits again and again, between messages and joins: after each a member's moment opens the invite", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup, invite, litter } = await poster(world);
  for (let round = 0; round < 4; round++) {
    const joiner = await world.device(`joiner-${round}`);
    for (const kind of KINDS) {
      await adminGroup.send(`message of round ${round}`);
      await litter(kind);
      await litter(kind);
      await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
      await memberGroup.sync();
      member.clock.forward(MINUTE_MS);
    }
    const { group } = await joiner.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
  }
});

test("SEC-12 of members that listen one uploads, however many refused commits come, and the others see that it did", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, invite, litter } = await poster(world);
  const third = await world.device("third");
  await adminGroup.addMembers([third.client.inboxId]);
  const calls: string[] = [];
  const uploads = () => calls.filter((name) => name === "upload").length;
  const listeners: { device: Device; waits: Waits; next: () => Promise<unknown> }[] = [];
  const stop = new AbortController();
  for (const device of [admin, member, third]) {
    await device.client.conversations.sync();
    const waits = new Waits();
    await world.restart(device, (parts) => waits.wrap(noting(calls)({ ...parts, joinReceipts: false })));
    const messages = groupOf(device, adminGroup.id).stream({ signal: stop.signal });
    listeners.push({ device, waits, next: () => messages.next() });
  }
  const speaker = await world.device("speaker");
  const { group: speech } = await speaker.client.conversations.joinByInvite(invite.url);

  for (let wave = 0; wave < 3; wave++) {
    const heard = listeners.map(({ next }) => next());
    for (let count = 0; count < 10; count++) await litter(KINDS[count % 2] ?? "public");
    await speech.send(`all of wave ${wave} lies before this`);
    await Promise.all(heard);
    // Each waits for its turn once, and what it did in the wave before is done.
    for (const { waits } of listeners) await waits.begun();
    assert.equal(uploads(), wave);
    for (const { device, waits } of listeners) {
      const looked = calls.length;
      device.clock.forward(10 * MINUTE_MS);
      waits.end();
      while (calls.length === looked) await new Promise((resolve) => setImmediate(resolve));
      while (uploads() === wave) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  assert.equal(uploads(), 3);
  stop.abort();
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await speech.sync();
  assert.deepEqual(epochOf(group), epochOf(speech));
});

test("SEC-12 a member that died before its upload: refreshInvite and a round of keepInvitesFresh replace what is behind", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, invite, litter } = await poster(world);
  for (const [index, kind] of KINDS.entries()) {
    await litter(kind);
    const told: unknown[] = [];
    await world.restart(member, (environment) => {
      const upload = async () => Promise.reject(new Error("the program dies here (made up by a test)"));
      const onDefect = ({ error }: Defect) => told.push(error.code);
      return { ...environment, slots: { ...environment.slots, upload }, onDefect };
    });
    // What is left to do fails no synchronization; an exception that nobody expects is told apart.
    await member.client.conversations.sync();
    assert.deepEqual(told, ["DEFECT"]);
    const calls: string[] = [];
    await world.restart(member, noting(calls));
    const group = groupOf(member, adminGroup.id);
    const look = async () => {
      if (index === 0) return group.refreshInvite();
      const stop = new AbortController();
      member.clock.sleep = async () => stop.abort();
      return member.client.keepInvitesFresh({ signal: stop.signal });
    };
    await look();
    assert.deepEqual(calls.splice(0), ["fetch", "upload"]);
    await look();
    assert.deepEqual(calls.splice(0), ["fetch"]);
    const joiner = await world.device(`joiner-${index}`);
    await joiner.client.conversations.joinByInvite(invite.url);
    await group.sync();
    assert.equal(group.members().length, 3 + index);
  }
});

test("SEC-12 a refused commit of an epoch whose invite has ended asks nothing of members", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite({ staleAfterNs: 3_600_000_000_000n });
  await memberGroup.sync();
  const reads: string[] = [];
  await world.restart(member, (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (...args) => {
      reads.push("read");
      return transport.queryGroupMessages(...args);
    };
    return noting(reads)({ ...environment, transport: { ...transport, queryGroupMessages } });
  });
  const troll = await world.device("troll");
  await publishGarbage(troll, invite.payload, world.node.url, "private");
  member.clock.forward(120 * MINUTE_MS);
  for (let round = 0; round < 3; round++) {
    await member.client.conversations.sync();
    assert.deepEqual(reads.splice(0), ["read"]);
    member.clock.forward(10 * MINUTE_MS);
  }
});
