import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { encodeMlsMessage, fromHex } from "@latchkey/mls";
import { appDataUpdate, COMPONENT, membershipDelta, readGroupState } from "@latchkey/xmtp";
import { forgeMemberCommit, garblingFor, rawExternalCommit } from "./forge.ts";
import { looksNative } from "./key-packages.ts";
import { movableWorld } from "./movable-world.ts";
import { restoredAfter } from "./restored.ts";
import { epochOf, failsWith, groupOf, mlsOf, openSlot, publishRaw, textsOf, World, type Wrap } from "./support.ts";

const MINUTE_MS = 60_000;

type MlsMessage = Parameters<typeof encodeMlsMessage>[0];
type PrivateMessage = Extract<MlsMessage, { wireFormat: "private_message" }>["message"];

/** Bytes that look like a message of a group's epoch. */
function junkOf(groupId: string, epoch: bigint, contentKind: PrivateMessage["contentKind"]): Uint8Array {
  const bytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));
  const message: PrivateMessage = {
    groupId: fromHex(groupId),
    epoch,
    contentKind,
    authenticatedData: bytes(0),
    encryptedSenderData: bytes(28),
    ciphertext: bytes(64),
  };
  return encodeMlsMessage({ wireFormat: "private_message", message });
}

test("TRU-10 a database that was restored knows it by its own signature in the log, and sends nothing", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const before = adminGroup.epoch;
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).send("after the backup");
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  const restored = groupOf(member, adminGroup.id);
  assert.equal(restored.status, "confirmed");
  await member.client.conversations.sync();
  assert.deepEqual([restored.status, restored.isActive, restored.epoch], ["parted", true, before]);
  const error = await failsWith(restored.send("what nobody could read"), "GROUP_PARTED");
  assert.equal(error.data["proof"], "own-envelope");
  await failsWith(restored.rotateKeys(), "GROUP_PARTED");
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["after the backup"]);
  // It is on disk: a restart does not make it forget.
  await world.restart(member);
  assert.equal(groupOf(member, adminGroup.id).status, "parted");
  await failsWith(groupOf(member, adminGroup.id).leave(), "GROUP_PARTED");
});

test("TRU-10 removed by an admin, a restored database comes back by the invite: messages stay, the gap is shown", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await adminGroup.send("one");
  await member.client.conversations.sync();
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  await member.client.conversations.sync();
  await failsWith(member.client.conversations.joinByInvite(invite.url), "ALREADY_MEMBER");
  await adminGroup.send("in the gap");
  await adminGroup.removeMembers([member.client.inboxId]);
  const { group } = await member.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await adminGroup.send("two");
  await group.sync();
  assert.deepEqual([group.status, group.gaps().length], ["confirmed", 1]);
  assert.deepEqual(textsOf(group), ["one", "two"]);
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.deepEqual(
    member.client.conversations.list().map(({ id }) => id),
    [group.id],
  );
});

/** A group in which a holder of the link has joined with a path secret that is garbage for one member, the victim. */
async function withVictim(t: TestContext) {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const victim = await world.device("victim");
  const eve = await world.device("eve");
  await adminGroup.addMembers([victim.client.inboxId]);
  const invite = await adminGroup.createInvite();
  for (const device of [member, victim]) await device.client.conversations.sync();
  const victimGroup = groupOf(victim, adminGroup.id);
  await adminGroup.send("before");
  const mls = mlsOf(victim, adminGroup.id);
  // The joiner takes the leaf beside the victim's: one ciphertext of its path is for the victim alone.
  const leaf = mls.leaf(mls.ownLeafIndex);
  assert.ok(leaf !== undefined);
  const groupInfo = await openSlot(eve, invite.payload, world.node.url);
  await publishRaw(eve, await rawExternalCommit(eve, groupInfo, { crypto: garblingFor(leaf.encryptionKey) }));
  for (const group of [adminGroup, memberGroup, victimGroup]) await group.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  assert.equal(adminGroup.members().length, 4);
  return { world, admin, member, victim, adminGroup, memberGroup, victimGroup };
}

test("TRU-10 a garbage path secret for one member: doubt refuses nothing, a super admin's GroupInfo proves it", async (t) => {
  const { victim, adminGroup, victimGroup } = await withVictim(t);
  assert.deepEqual(
    victimGroup.hints().map(({ kind, count }) => [kind, count]),
    [
      ["commit-not-applied", 1n],
      ["unreadable", 1n],
    ],
  );
  assert.equal(victimGroup.status, "confirmed");
  await victimGroup.send("a hint refuses nothing");
  // Nothing proves it yet: the slot has the state of before. It is asked once a minute, however often it is synced.
  let questions = 0;
  const { slots } = victim.environment;
  const fetch = slots.fetch.bind(slots);
  slots.fetch = (...question) => (questions++, fetch(...question));
  for (let round = 0; round < 3; round++) await victimGroup.sync();
  assert.equal(questions, 0);
  await adminGroup.refreshInvite();
  victim.clock.forward(MINUTE_MS);
  await victimGroup.sync();
  assert.deepEqual([questions, victimGroup.status], [1, "parted"]);
  const error = await failsWith(victimGroup.send("nobody reads this"), "GROUP_PARTED");
  assert.equal(error.data["proof"], "group-info");
});

test("TRU-10 a parted member asks, a super admin's client adds it again, and its word confirms the return", async (t) => {
  const { admin, member, victim, adminGroup, memberGroup, victimGroup } = await withVictim(t);
  await adminGroup.send("in the gap");
  await adminGroup.refreshInvite();
  await victim.client.conversations.sync();
  victim.clock.forward(MINUTE_MS);
  await victim.client.conversations.sync();
  assert.equal(victimGroup.status, "parted");
  // The request waits at the node: the super admin's client answers it with its next synchronization.
  const parted = adminGroup.epoch;
  await admin.client.conversations.sync();
  assert.equal(adminGroup.epoch, parted + 1n);
  await victim.client.conversations.sync();
  assert.deepEqual(epochOf(victimGroup), epochOf(adminGroup));
  assert.equal(victimGroup.status, "pending");
  const waits = await failsWith(victimGroup.rotateKeys(), "GROUP_PARTED");
  assert.equal(waits.retryable, true);
  await member.client.conversations.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup), "a bystander follows");
  await adminGroup.send("welcome back");
  await victim.client.conversations.sync();
  assert.deepEqual([victimGroup.status, victimGroup.hints(), victimGroup.gaps().length], ["confirmed", [], 1]);
  assert.deepEqual(textsOf(victimGroup), ["before", "welcome back"]);
  const [gap] = victimGroup.gaps();
  const ids = victimGroup.messages().map(({ sequenceId }) => sequenceId);
  assert.ok(gap !== undefined && (ids[1] ?? 0n) > gap.untilSequenceId && gap.afterSequenceId < (ids[0] ?? 0n) + 1n);
  await victimGroup.send("here I am");
  for (const group of [adminGroup, memberGroup]) {
    await group.sync();
    assert.equal(textsOf(group).at(-1), "here I am");
  }
  // The state before the return went with its confirmation.
  assert.equal(victim.environment.store.groups.list().length, 1);
  // What was answered is answered once.
  const { epoch } = adminGroup;
  await admin.client.conversations.sync();
  assert.equal(adminGroup.epoch, epoch);
});

test("TRU-10 removed and added again while it is in doubt, a member takes the super admin's Welcome for the proof", async (t) => {
  const { victim, adminGroup, victimGroup } = await withVictim(t);
  await adminGroup.removeMembers([victim.client.inboxId]);
  await adminGroup.addMembers([victim.client.inboxId]);
  await victim.client.conversations.sync();
  assert.deepEqual([victimGroup.status, epochOf(victimGroup)], ["pending", epochOf(adminGroup)]);
  await adminGroup.send("welcome back");
  await victim.client.conversations.sync();
  assert.deepEqual([victimGroup.status, textsOf(victimGroup)], ["confirmed", ["before", "welcome back"]]);
});

test("TRU-10 junk of strangers and link holders beyond the epoch leaves every member able to send", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stranger = await world.device("stranger");
  await adminGroup.createInvite();
  await memberGroup.sync();
  const { epoch, id } = adminGroup;
  for (const at of [epoch, epoch + 1n, epoch + 2n ** 62n]) {
    await publishRaw(stranger, junkOf(id, at, "application"));
    await publishRaw(stranger, junkOf(id, at, "commit"));
  }
  for (const device of [admin, member]) {
    for (let minute = 0; minute < 3; minute++) {
      await device.client.conversations.sync();
      device.clock.forward(MINUTE_MS);
    }
    const group = groupOf(device, id);
    assert.deepEqual([group.status, group.hints().map(({ kind }) => kind)], ["confirmed", ["unreadable"]]);
  }
  await memberGroup.send("still here");
  await adminGroup.sync();
  assert.deepEqual(adminGroup.hints(), [], "the first message of another member ends the doubt");
  await adminGroup.send("and here");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["still here", "and here"]);
  assert.deepEqual(memberGroup.hints(), []);
});

/** Lets a member fail by a defect at the commit that renames its group to that. */
function failingAt(name: string): Wrap {
  return (environment) => {
    const { store } = environment;
    const transaction: typeof store.transaction = (write) =>
      store.transaction((tables) => {
        const { groupRows } = tables;
        const put: typeof groupRows.put = (row) => {
          if (Buffer.from(row.value).includes(name)) throw new TypeError("a defect (made up by a test)");
          groupRows.put(row);
        };
        const watched: typeof groupRows = {
          get: groupRows.get.bind(groupRows),
          list: groupRows.list.bind(groupRows),
          listAfter: groupRows.listAfter.bind(groupRows),
          count: groupRows.count.bind(groupRows),
          delete: groupRows.delete.bind(groupRows),
          put,
        };
        return write({ ...tables, groupRows: watched });
      });
    return { ...environment, store: { ...store, transaction } };
  };
}

test("TRU-10 a defect on a commit is a hint, and proves it together with what a super admin signs", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  await adminGroup.createInvite();
  await member.client.conversations.sync();
  await world.restart(member, failingAt("cursed"));
  const group = groupOf(member, adminGroup.id);
  // The slot has the state of before: nobody uploads the one behind the commit yet.
  const { slots } = member.environment;
  const fetch = slots.fetch.bind(slots);
  slots.fetch = async () => ({ blobs: [], tag: undefined, waiting: undefined });
  await adminGroup.updateName("cursed");
  for (let minute = 0; minute < 2; minute++) {
    await failsWith(group.sync(), "DEFECT");
    member.clock.forward(MINUTE_MS);
  }
  await group.sync();
  assert.deepEqual(
    [group.status, group.hints().map(({ kind }) => kind), group.rejections().map(({ code }) => code)],
    ["confirmed", ["defect"], ["DEFECT"]],
  );
  slots.fetch = fetch;
  member.clock.forward(MINUTE_MS);
  await group.sync();
  assert.equal(group.status, "parted");
  assert.equal((await failsWith(group.send("nobody reads this"), "GROUP_PARTED")).data["proof"], "group-info");
});

test("TRU-10 beside a native member a commit that names a missing update is a hint, with its committer", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, member: rogue, adminGroup } = await world.group();
  const [native, third] = [await world.device("native"), await world.device("third")];
  await looksNative(native);
  await adminGroup.addMembers([native, third].map(({ client }) => client.inboxId));
  for (const device of [rogue, third]) await device.client.conversations.sync();
  const { inboxId } = rogue.client;
  const entry = readGroupState(mlsOf(rogue, adminGroup.id).appData).members.get(inboxId);
  assert.ok(entry !== undefined);
  const raised = membershipDelta([{ op: "update", inboxId, entry: { ...entry, sequenceId: 1_000_000n } }]);
  const update = appDataUpdate(COMPONENT.groupMembership, raised);
  await publishRaw(rogue, await forgeMemberCommit(rogue, adminGroup.id, [update]));
  await adminGroup.sync();
  assert.ok(adminGroup.waitsUntilNs !== undefined);
  pass(181);
  admin.clock.forward(181_000);
  await adminGroup.sync();
  assert.deepEqual(
    adminGroup.hints().map(({ kind, committer }) => [kind, committer]),
    [["commit-not-applied", inboxId]],
  );
  assert.equal(adminGroup.status, "confirmed");
  await adminGroup.send("a hint refuses nothing");
  // Without a native member nobody follows such a commit: it is refused, and no hint.
  await adminGroup.removeMembers([native.client.inboxId]);
  third.clock.forward(181_000);
  await groupOf(third, adminGroup.id).send("hello");
  await adminGroup.sync();
  assert.deepEqual(adminGroup.hints(), []);
  await publishRaw(third, await forgeMemberCommit(third, adminGroup.id, [update]));
  pass(181);
  admin.clock.forward(181_000);
  await adminGroup.sync();
  assert.deepEqual(adminGroup.hints(), []);
  assert.deepEqual(
    adminGroup.rejections().map(({ rule }) => rule),
    ["MissingIdentityUpdate", "MissingIdentityUpdate"],
  );
});

test("TRU-10 group.sync and streams ask to be added again, and answer those who asked, as conversations.sync does", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const third = await world.device("third");
  await adminGroup.addMembers([third.client.inboxId]);
  for (const device of [member, third]) await device.client.conversations.sync();
  const onThird = groupOf(third, adminGroup.id);
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).send("after the backup");
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  const group = groupOf(member, adminGroup.id);
  const { store, transport } = member.environment;
  const sendWelcomeMessages = transport.sendWelcomeMessages.bind(transport);
  const asked: number[] = [];
  const stop = new AbortController();
  transport.sendWelcomeMessages = async (messages, signal) => {
    await sendWelcomeMessages(messages, signal);
    asked.push(messages.length);
    stop.abort();
  };
  for await (const message of group.stream({ signal: stop.signal })) assert.fail(message.text);
  assert.deepEqual([group.status, asked], ["parted", [1]]);
  await group.sync();
  assert.deepEqual(asked, [1], "once a day");
  store.transaction(({ histories }) => {
    for (const row of histories.list()) histories.put({ ...row, requestedAtNs: 0n });
  });
  await group.sync();
  assert.deepEqual(asked, [1, 1]);

  // As if the Welcome with the request had been read and the answer had failed.
  const request = () =>
    admin.environment.store.transaction(({ readds }) =>
      readds.put({
        groupId: fromHex(adminGroup.id),
        installationKey: fromHex(member.client.installationId),
        inboxId: fromHex(member.client.inboxId),
        requestedAtNs: admin.clock.nowNs(),
        doneAtNs: 0n,
      }),
    );
  await adminGroup.sync();
  const { epoch } = adminGroup;
  request();
  await adminGroup.sync();
  assert.equal(adminGroup.epoch, epoch + 1n);
  await onThird.sync();
  request();
  await onThird.send("one");
  const seen: (string | undefined)[] = [];
  for await (const { text } of adminGroup.stream()) {
    seen.push(text);
    if (text === "two") break;
    await onThird.send("two");
  }
  // What follows the first message was done before the second one was read.
  assert.deepEqual([seen, adminGroup.epoch], [["one", "two"], epoch + 2n]);
  await member.client.conversations.sync();
  assert.deepEqual([group.status, epochOf(group)], ["confirmed", epochOf(adminGroup)]);
});
