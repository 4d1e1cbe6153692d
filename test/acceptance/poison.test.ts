import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import type { Position } from "@latchkey/client";
import { appDataUpdate, applyAppDataUpdates, COMPONENT, encodeTextMessage, membershipDelta } from "@latchkey/xmtp";
import { readTopic } from "../../packages/client/src/transport/transport.ts";
import { allRefuse, rawExternalCommit } from "./forge.ts";
import {
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  openSlot,
  publishRaw,
  textsOf,
  World,
  type Device,
  type Wrap,
} from "./support.ts";
import { junkMessage, madeUp, sendTrap, type Trap } from "./trap.ts";

/** Where numbers of 64 bits break programs. */
const BORDERS = [0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n] as const;
const MINUTE_MS = 60_000;

/** A world whose node takes its time from the test, so that a wait for identity updates is over when the test says so. */
async function worldWithClock(t: Parameters<typeof World.start>[0]) {
  let aheadNs = 0n;
  const nowNs = () => BigInt(Date.now()) * 1_000_000n + aheadNs;
  const world = await World.start(t, { clock: { wallNs: nowNs, monotonicNs: nowNs } });
  const forward = (ms: number, ...devices: readonly Device[]) => {
    aheadNs += BigInt(ms) * 1_000_000n;
    for (const device of devices) device.clock.forward(ms);
  };
  return { world, forward };
}

/** Synchronizes; a Welcome that names an update which may still come is no failure of anything else. */
async function syncAround(device: Device): Promise<void> {
  try {
    await device.client.conversations.sync();
  } catch (error) {
    assert.equal(error instanceof LatchkeyError && error.code, "IDENTITY_PENDING");
  }
}

test("TRU-01 no Welcome of a stranger stops a client: every field at its border, then the next genuine Welcome, and a restart", async (t) => {
  const { world, forward } = await worldWithClock(t);
  const [eve, bob, victim] = [await world.device("eve"), await world.device("bob"), await world.device("victim")];
  const before = await bob.client.conversations.createGroup([victim.client.inboxId], { name: "before" });
  await victim.client.conversations.sync();
  const somebody = "ab".repeat(32);
  const traps: Trap[] = [
    ...BORDERS.map((messageCursor) => ({ messageCursor })),
    ...BORDERS.map((sequenceId) => ({ entries: [[somebody, sequenceId] as const] })),
    ...BORDERS.map((ns) => ({ disappearNs: BigInt.asIntN(64, ns) })),
    { groupId: new Uint8Array(0) },
    { groupId: new Uint8Array(0), messageCursor: 5n },
    { groupId: new Uint8Array(65) },
    { entries: madeUp(4_200) },
    { added: bob },
  ];
  for (const trap of traps) {
    const mls = await sendTrap(eve, victim, trap);
    if (trap.disappearNs === undefined) continue;
    const { message, change } = await mls.encryptApplication(encodeTextMessage(mls.groupId, "boom").plaintext);
    mls.merge(change);
    await publishRaw(eve, message);
  }
  await before.send("hello");
  const after = await bob.client.conversations.createGroup([victim.client.inboxId], { name: "after" });

  await syncAround(victim);
  assert.deepEqual(textsOf(groupOf(victim, before.id)), ["hello"]);
  assert.equal(groupOf(victim, after.id).name, "after");

  // What may still come is waited for, and then every one of them is behind the cursor.
  forward(4 * MINUTE_MS, victim, bob);
  await world.restart(victim);
  await victim.client.conversations.sync();
  await after.send("and on");
  await victim.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(victim, after.id)), ["and on"]);
  assert.equal(victim.client.conversations.get("ab".repeat(65)), undefined);
});

test("TRU-02 a plain member's entry of an inbox at no update keeps nobody out, by Welcome or by invite", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await member.client.conversations.sync();
  const mls = mlsOf(member, adminGroup.id);
  const entry = { sequenceId: 0n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
  const delta = membershipDelta([{ op: "insert", inboxId: "ab".repeat(32), entry }]);
  const update = appDataUpdate(COMPONENT.groupMembership, delta);
  const appData = applyAppDataUpdates(mls.appData, [update]);
  await publishRaw(member, (await mls.createCommit({ proposals: [update], references: [], appData })).message);
  await adminGroup.sync();
  assert.equal(adminGroup.members().length, 3, "members accept it, as natives do");

  const added = await world.device("added");
  await adminGroup.addMembers([added.client.inboxId]);
  await added.client.conversations.sync();
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await groupOf(added, adminGroup.id).sync();
  for (const view of [group, groupOf(added, adminGroup.id)]) assert.deepEqual(epochOf(view), epochOf(adminGroup));
});

test("TRU-02 a commit that names 4 200 inboxes is refused by its shape: nobody is looked up, the group goes on", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member } = await world.group();
  const invite = await adminGroup.createInvite();
  const asked: number[] = [];
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const getIdentityUpdates: typeof transport.getIdentityUpdates = (requests, signal) => {
      asked.push(requests.length);
      return transport.getIdentityUpdates(requests, signal);
    };
    return { ...environment, transport: { ...transport, getIdentityUpdates } };
  };
  await world.restart(member, wrap);
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  asked.splice(0);
  const eve = await world.device("eve");
  const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
  const update = membershipDelta(madeUp(4_200).map(([inboxId]) => ({ op: "insert" as const, inboxId, entry })));
  const info = await openSlot(eve, invite.payload, world.node.url);
  const updates = () => [{ componentId: COMPONENT.groupMembership, update }];
  await publishRaw(eve, await rawExternalCommit(eve, info, { updates }));

  await memberGroup.sync();
  assert.deepEqual(asked, [1], "the own inbox alone");
  await adminGroup.send("hello");
  await memberGroup.sync();
  const rule = "ExternalCommitAppDataUpdateOutOfScope";
  for (const group of [adminGroup, memberGroup])
    assert.deepEqual(
      group.rejections().map((one) => one.rule),
      [rule],
    );
  assert.deepEqual(textsOf(memberGroup), ["hello"]);
});

test("TRU-02 a member's commit that names 4 200 inboxes is refused by its shape: nobody is looked up, the group goes on", async (t) => {
  const world = await World.start(t);
  const { admin, member: rogue, adminGroup } = await world.group();
  const honest = await world.device("honest");
  await adminGroup.addMembers([honest.client.inboxId]);
  const asked: number[] = [];
  await world.restart(honest, (environment) => {
    const { transport } = environment;
    const getIdentityUpdates: typeof transport.getIdentityUpdates = (requests, signal) => {
      asked.push(requests.length);
      return transport.getIdentityUpdates(requests, signal);
    };
    return { ...environment, transport: { ...transport, getIdentityUpdates } };
  });
  for (const device of [honest, rogue]) await device.client.conversations.sync();
  asked.splice(0);
  const mls = mlsOf(rogue, adminGroup.id);
  const entry = { sequenceId: 1n, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
  const delta = membershipDelta(madeUp(4_200).map(([inboxId]) => ({ op: "insert" as const, inboxId, entry })));
  const update = appDataUpdate(COMPONENT.groupMembership, delta);
  const appData = applyAppDataUpdates(mls.appData, [update]);
  const { message } = await mls.createCommit({ proposals: [update], references: [], appData });
  await allRefuse([admin, honest], adminGroup.id, message, "TooManyInboxes");
  assert.deepEqual(asked, [1, 1, 1], "the own inbox alone, with each sync");
});

test("TRU-05 disappearing settings of 2^63 - 1 are refused at the sender", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  for (const inNs of [2n ** 63n - 1n, 36_526n * 86_400n * 1_000_000_000n]) {
    await failsWith(adminGroup.updateMessageDisappearingSettings({ fromNs: 1n, inNs }), "ARGUMENT_INVALID");
  }
  await adminGroup.updateMessageDisappearingSettings({ fromNs: 1n, inNs: 36_525n * 86_400n * 1_000_000_000n });
  await adminGroup.send("for a hundred years");
  assert.deepEqual(textsOf(adminGroup), ["for a hundred years"]);
});

test("TRU-21 a member passes 5 000 junk envelopes with a transaction for each page", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  let transactions = 0;
  await world.restart(member, (environment) => {
    const { store } = environment;
    const transaction: typeof store.transaction = (write) => (transactions++, store.transaction(write));
    return { ...environment, store: { ...store, transaction } };
  });
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  const { transport } = member.environment;
  const junk = { senderHmac: new Uint8Array(0), shouldPush: false };
  for (let batch = 0; batch < 5; batch++) {
    const data = Array.from({ length: 1_000 }, () => junkMessage(adminGroup.id, memberGroup.epoch));
    await transport.sendGroupMessages(data.map((message) => ({ ...junk, data: message })));
  }
  transactions = 0;
  await memberGroup.sync();
  assert.ok(transactions <= 52, `${transactions} transactions for 50 pages`);
  assert.equal(memberGroup.rejections().length, 64);
  await adminGroup.send("behind the junk");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["behind the junk"]);
});

test("TRU-21 a stream passes junk envelopes with a transaction for each batch of what has come", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  let transactions = 0;
  await world.restart(member, (environment) => {
    const { store, transport } = environment;
    const transaction: typeof store.transaction = (write) => (transactions++, store.transaction(write));
    // All that the node has comes at once, and nothing after it.
    async function* subscribeGroupMessages({ topic }: Position, signal: AbortSignal) {
      yield* readTopic((at) => transport.queryGroupMessages(at), { topic, afterId: 0n });
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    return {
      ...environment,
      store: { ...store, transaction },
      transport: { ...transport, subscribeGroupMessages },
    };
  });
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  const junk = { senderHmac: new Uint8Array(0), shouldPush: false };
  for (let batch = 0; batch < 2; batch++) {
    const data = Array.from({ length: 1_000 }, () => junkMessage(adminGroup.id, memberGroup.epoch));
    await member.environment.transport.sendGroupMessages(data.map((message) => ({ ...junk, data: message })));
  }
  await adminGroup.send("behind the junk");
  transactions = 0;
  for await (const { text } of memberGroup.stream()) {
    assert.equal(text, "behind the junk");
    break;
  }
  assert.ok(transactions <= 25, `${transactions} transactions for 20 pages`);
  assert.equal(memberGroup.rejections().length, 64);
});

test("an envelope that fails by a defect is set aside in the third sync, a minute apart each, also across restarts", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const told: unknown[] = [];
  const defect = new TypeError("a defect (made up by a test)");
  const wrap: Wrap = (environment) => {
    const { store } = environment;
    const transaction: typeof store.transaction = (write) =>
      store.transaction((tables) => {
        const put: typeof tables.messages.put = (row) => {
          if (row.text === "poison") throw defect;
          tables.messages.put(row);
        };
        const { messages } = tables;
        const watched = {
          get: messages.get.bind(messages),
          list: messages.list.bind(messages),
          listAfter: messages.listAfter.bind(messages),
          count: messages.count.bind(messages),
          delete: messages.delete.bind(messages),
          put,
        };
        return write({ ...tables, messages: watched });
      });
    const onDefect = (seen: unknown) => told.push(seen);
    return { ...environment, store: { ...store, transaction }, onDefect };
  };
  await world.restart(member, wrap);
  await adminGroup.send("poison");
  await adminGroup.send("behind it");
  const sync = () => groupOf(member, adminGroup.id).sync();
  await failsWith(sync(), "DEFECT");
  await failsWith(sync(), "DEFECT");
  member.clock.forward(MINUTE_MS);
  await world.restart(member, wrap);
  await failsWith(sync(), "DEFECT");
  assert.deepEqual(told, []);
  member.clock.forward(MINUTE_MS);
  await sync();
  const group = groupOf(member, adminGroup.id);
  assert.deepEqual(
    group.rejections().map(({ code }) => code),
    ["DEFECT"],
  );
  assert.equal(told.length, 1);
  assert.deepEqual(textsOf(group), ["behind it"]);
});
