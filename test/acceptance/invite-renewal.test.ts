import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { fromHex, LatchkeyError, toHex, type MlsGroup } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  COMPONENT,
  decodeInvitePayload,
  readGroupState,
  readPolicy,
  unwrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { failsWith, groupOf, mlsOf, readCommits, World, type Device, type Wrap } from "./support.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);

/** Every invite key that stands in a commit of the log which one of these states opens, in hex. */
async function readableKeys(device: Device, groupId: string, states: readonly MlsGroup[]): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const { data } of await readCommits(device, groupId)) {
    for (const state of states) {
      const received = await state.verify(data).catch(() => undefined);
      if (received?.kind !== "commit") continue;
      for (const { proposal } of received.commit.proposals) {
        if (proposal.kind !== "app_data_update" || proposal.componentId !== COMPONENT.externalCommitPolicy) continue;
        if (proposal.operation.kind !== "update") continue;
        const material = readPolicy(proposal.operation.update)?.symmetricKey?.material;
        if (material !== undefined) keys.add(toHex(material));
      }
    }
  }
  return keys;
}

function keyOf(payload: Uint8Array): string {
  return toHex(decodeInvitePayload(payload).symmetricKey);
}

/** A device whose commits go through `before` on their way, which may refuse them. */
function onPublish(before: (count: number) => Promise<void>): Wrap {
  let count = 0;
  return (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      await before(++count);
      await transport.sendGroupMessages(messages, signal);
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };
}

function unreachable(): never {
  throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
}

/** Two super admins, others and the invite, everybody synced. */
async function circle(t: TestContext, names: readonly string[], wrapSecond?: Wrap) {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const second = await world.device("second admin", wrapSecond === undefined ? {} : { wrap: wrapSecond });
  const others: Device[] = [];
  for (const name of names) others.push(await world.device(name));
  const inboxIds = [second, ...others].map(({ client }) => client.inboxId);
  const group = await admin.client.conversations.createGroup(inboxIds, { name: "Reading circle" });
  await group.promote(second.client.inboxId, "super_admin");
  const invite = await group.createInvite({ maxUses: 5 });
  for (const device of [second, ...others]) await device.client.conversations.sync();
  const secondGroup = groupOf(second, group.id);
  return { world, admin, second, others, id: group.id, secondGroup, invite };
}

/** Reopens an admin whose commits from the second of this run on do not arrive, and lets it remove somebody. */
async function removeAndCut(world: World, admin: Device, groupId: string, inboxId: string) {
  await world.restart(
    admin,
    onPublish(async (count) => {
      if (count > 1) unreachable();
    }),
  );
  return groupOf(admin, groupId).removeMembers([inboxId], { rotateInvite: "slot" });
}

const renewals = ({ environment }: Device) => environment.store.inviteRenewals.list();

function inboxOf(device: Device | undefined): string {
  if (device === undefined) throw new Error("no such device");
  return device.client.inboxId;
}

/** How many blobs of a slot open with a key. */
async function openedBy(device: Device, serviceUrl: string, slotId: string, key: Uint8Array): Promise<number> {
  const { blobs = [] } = await device.environment.slots.fetch({ serviceUrl, externalGroupId: fromHex(slotId) });
  return blobs.filter((blob) => {
    try {
      return unwrapGroupInfo(blob, key, { suite }).epoch >= 0n;
    } catch (error) {
      assert.ok(error instanceof LatchkeyError);
      return false;
    }
  }).length;
}

test("TRU-06 the removed reads no new key or slot in anything it can open, and does not come back", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  let old = await adminGroup.createInvite({ maxUses: 5 });
  await memberGroup.sync();
  let [leaver, leaverGroup] = [member, memberGroup];
  for (const rotateInvite of ["key", "slot"] as const) {
    const hostile = mlsOf(leaver, adminGroup.id);
    const removed = [leaver.client.inboxId];
    const { invite, ...removal } = await adminGroup.removeMembers(removed, { rotateInvite });
    assert.deepEqual(removal, { removed, joinedMeanwhile: [], mayHoldLiveInvite: false, renewalPending: false });
    assert.ok(invite !== undefined);
    assert.deepEqual(await readableKeys(leaver, adminGroup.id, [hostile]), new Set());
    assert.notEqual(keyOf(invite.payload), keyOf(old.payload));
    assert.equal(invite.externalGroupId === old.externalGroupId, rotateInvite === "key");
    assert.equal(readGroupState(mlsOf(admin, adminGroup.id).appData).policy?.maxUses, 5);
    // The slot has a blob more for each epoch in which the old key was in force, and none since.
    const oldKey = decodeInvitePayload(old.payload).symmetricKey;
    const opened = await openedBy(leaver, world.node.url, old.externalGroupId, oldKey);
    assert.equal(opened, rotateInvite === "key" ? 1 : 2);
    await leaverGroup.sync();
    await failsWith(leaver.client.conversations.joinByInvite(old.url), "INVITE_STALE");
    assert.deepEqual(renewals(admin), []);

    const guest = await world.device(`guest after ${rotateInvite}`);
    const { group } = await guest.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    [leaver, leaverGroup, old] = [guest, group, invite];
  }
});

test("TRU-06 a renewal that loses is minted anew: its key in the log is worth nothing; who joined meanwhile is named", async (t) => {
  const { world, admin, second, others, id, secondGroup, invite } = await circle(t, ["member", "friend", "guest"]);
  const [member, friend, guest] = others;
  const accomplice = await world.device("accomplice");
  const states: MlsGroup[] = [];
  const removeWhileReady = async (device: Device | undefined) => {
    if (device === undefined) throw new Error("no such device");
    await groupOf(device, id).sync();
    states.push(mlsOf(device, id));
    await secondGroup.removeMembers([inboxOf(device)]);
  };
  await world.restart(
    admin,
    onPublish(async (count) => {
      // The removal is ready, and the link still works.
      if (count === 1) await accomplice.client.conversations.joinByInvite(invite.url);
      // The commit with the new key is ready: another admin removes somebody in the very epoch that it is for.
      if (count === 3) await removeWhileReady(friend);
      if (count === 5) await removeWhileReady(guest);
    }),
  );
  const removal = await groupOf(admin, id).removeMembers([inboxOf(member)], { rotateInvite: "slot" });
  assert.deepEqual(removal.joinedMeanwhile, [accomplice.client.inboxId]);
  assert.deepEqual([removal.removed, removal.mayHoldLiveInvite], [[inboxOf(member)], false]);
  const renewed = removal.invite;
  assert.ok(renewed !== undefined);
  const seen = await readableKeys(accomplice, id, states);
  assert.equal(seen.size, 1, "the lost commit is in the log, and the one removed by then opens it");
  assert.ok(!seen.has(keyOf(renewed.payload)));
  await secondGroup.sync();
  assert.equal(secondGroup.invite?.url, renewed.url);
  assert.deepEqual([renewals(admin), renewals(second)], [[], []]);

  // The same of a rotation, which a removal without one overtakes.
  const rotated = await groupOf(admin, id).rotateInvite();
  const both = await readableKeys(accomplice, id, states);
  assert.equal(both.size, 2);
  assert.ok(!both.has(keyOf(rotated.payload)) && !both.has(keyOf(renewed.payload)));
});

test("TRU-06 stopped in between: invites are off until the next start, another super admin, or whoever writes the policy", async (t) => {
  let overtake: (() => Promise<void>) | undefined;
  const uploads: Uint8Array[] = [];
  const names = ["one", "two", "three", "four"];
  const { world, admin, second, others, id, secondGroup, invite } = await circle(t, names, (environment) => {
    const { slots } = environment;
    const exists: typeof slots.exists = async (...args) => {
      await overtake?.();
      return slots.exists(...args);
    };
    const upload: typeof slots.upload = async (slot, blob, signal) => {
      uploads.push(blob);
      await slots.upload(slot, blob, signal);
    };
    return { ...environment, slots: { ...slots, exists, upload } };
  });
  const [one, two, three, four] = others;
  const oldKey = decodeInvitePayload(invite.payload).symmetricKey;

  await t.test("an upload that the removal overtakes puts no blob under the old key", async () => {
    overtake = async () => {
      overtake = undefined;
      const cut = await removeAndCut(world, admin, id, inboxOf(one));
      assert.deepEqual([cut.removed, cut.invite], [[inboxOf(one)], undefined]);
      assert.deepEqual([cut.renewalPending, cut.mayHoldLiveInvite], [true, false]);
      await secondGroup.sync();
      assert.equal(secondGroup.invite, undefined);
    };
    await secondGroup.refreshInvite();
    assert.deepEqual(uploads, []);
    await failsWith(secondGroup.createExternalInvite(), "INVITE_DISABLED");
  });

  const guest = await world.device("guest");
  await t.test("nobody gets in, nothing secret is on disk, and the next start takes it up", async () => {
    await failsWith(guest.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
    const [row] = renewals(admin);
    assert.ok(row !== undefined);
    for (const secret of [oldKey, fromHex(invite.externalGroupId)]) {
      assert.ok(!Buffer.concat([row.policy, row.template]).includes(secret));
    }
    await world.restart(admin);
    const renewed = groupOf(admin, id).invite;
    assert.ok(renewed !== undefined && renewed.externalGroupId !== invite.externalGroupId);
    assert.deepEqual(renewals(admin), []);
    await guest.client.conversations.joinByInvite(renewed.url);
  });

  await t.test("another super admin's client finishes it, later; a member's does not", async () => {
    await removeAndCut(world, admin, id, inboxOf(two));
    admin.client.close();
    const member = three ?? admin;
    member.clock.forward(3_600_000);
    await secondGroup.sync();
    await groupOf(member, id).sync();
    assert.deepEqual([renewals(second).length, renewals(member).length], [1, 0]);
    assert.equal(secondGroup.invite, undefined, "the one that began it goes first");
    second.clock.forward(3_600_000);
    await secondGroup.sync();
    const url = groupOf(second, id).invite?.url;
    assert.ok(url !== undefined);
    // The one that began it comes back late, and makes no other.
    await world.restart(admin);
    await groupOf(admin, id).sync();
    assert.equal(groupOf(admin, id).invite?.url, url);
  });

  await t.test("any later write of the policy ends it: turning the invite off has the last word", async () => {
    await removeAndCut(world, admin, id, inboxOf(three));
    await secondGroup.sync();
    const policy = () => mlsOf(second, id).appData.get(COMPONENT.externalCommitPolicy);
    const before = policy();
    await secondGroup.revokeInvite();
    assert.deepEqual(policy(), before, "the bytes alone do not tell");
    await world.restart(admin);
    await groupOf(admin, id).sync();
    assert.deepEqual([groupOf(admin, id).invite, renewals(admin), renewals(second)], [undefined, [], []]);
  });

  await t.test("a removal while the invite is off renews nothing, nor does turning it off alone", async () => {
    const group = groupOf(admin, id);
    const off = await group.removeMembers([inboxOf(four)], { rotateInvite: "slot" });
    assert.deepEqual([off.invite, off.renewalPending, off.mayHoldLiveInvite], [undefined, false, false]);
    await group.createInvite();
    await group.revokeInvite();
    await secondGroup.sync();
    assert.deepEqual([renewals(admin), renewals(second), secondGroup.invite], [[], [], undefined]);
    for (const blob of uploads) assert.throws(() => unwrapGroupInfo(blob, oldKey, { suite }));
  });
});

test("TRU-06 an admin removes without a renewal, and is told; a leave never renews; a client can be set to", async (t) => {
  const { world, admin, others, id, invite } = await circle(t, ["admin without 0x800C", "one", "leaver", "two"]);
  const [plain, one, leaver, two] = others;
  if (plain === undefined || leaver === undefined) throw new Error("no such device");
  await groupOf(admin, id).promote(inboxOf(plain), "admin");
  const plainGroup = groupOf(plain, id);
  await plainGroup.sync();
  const removal = await plainGroup.removeMembers([inboxOf(one)], { rotateInvite: "key" });
  assert.deepEqual([removal.removed, removal.mayHoldLiveInvite], [[inboxOf(one)], true]);
  assert.deepEqual([removal.invite?.url, removal.renewalPending], [invite.url, false]);
  await failsWith(plainGroup.removeMembers([inboxOf(plain)], { rotateInvite: "key" }), "NOT_PERMITTED");

  await world.restart(admin, (environment) => ({ ...environment, renewOnRemoval: true }));
  const group = groupOf(admin, id);
  await groupOf(leaver, id).leave();
  await group.sync();
  assert.ok(!group.members().some(({ inboxId }) => inboxId === inboxOf(leaver)));
  assert.equal(group.invite?.url, invite.url);
  const kept = await group.removeMembers([inboxOf(two)], { rotateInvite: false });
  assert.deepEqual([kept.invite?.url, kept.mayHoldLiveInvite], [invite.url, true]);
  const renewed = await group.removeMembers([inboxOf(plain)]);
  assert.ok(renewed.invite !== undefined && renewed.invite.externalGroupId !== invite.externalGroupId);
});
