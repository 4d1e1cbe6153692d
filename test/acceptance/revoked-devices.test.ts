import assert from "node:assert/strict";
import { test } from "node:test";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  encodeWith,
  leafInboxId,
  leaveRequestCodec,
  membershipDelta,
  type MembershipMutation,
} from "@latchkey/xmtp";
import type { Proposal } from "@latchkey/mls";
import { keyPackageOf } from "./forge.ts";
import { movableWorld, revoke } from "./movable-world.ts";
import { ask, welcomeBack } from "./readds.ts";
import { restoredAfter } from "./restored.ts";
import { epochOf, groupOf, mlsOf, publishRaw, textsOf, World, type Device } from "./support.ts";

/** Lets a device learn the newest state of an inbox, for another group. */
async function learn(device: Device, inboxId: string): Promise<void> {
  await device.client.conversations.createGroup([inboxId], { name: "Other" });
}

/** A commit of a device whose program follows rules of its own, by the engine and past the client. */
async function publishCommit(
  device: Device,
  groupId: string,
  proposals: readonly Proposal[],
  mutation: MembershipMutation,
): Promise<void> {
  const mls = mlsOf(device, groupId);
  const update = appDataUpdate(COMPONENT.groupMembership, membershipDelta([mutation]));
  const appData = applyAppDataUpdates(mls.appData, [update]);
  const { message } = await mls.createCommit({ proposals: [...proposals, update], appData });
  await publishRaw(device, message);
}

/** Leaves of an inbox in a group, as a device has it. */
function leavesIn(device: Device, groupId: string, inboxId: string) {
  const members = [...mlsOf(device, groupId).members()];
  return members.filter(({ leafNode }) => leafInboxId(leafNode) === inboxId).map(({ leafIndex }) => leafIndex);
}

test("TRU-07 IDN-03 what a revoked device said is deleted when its revocation is learnt later, with what it asked for", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stolen = await world.device("stolen");
  const owner = await world.device("owner", { signer: stolen.signer });
  const { inboxId } = owner.client;
  await adminGroup.addMembers([inboxId]);
  for (const device of [stolen, owner, member]) await device.client.conversations.sync();
  const onStolen = groupOf(stolen, adminGroup.id);
  await onStolen.send("still mine");
  await revoke(owner, stolen);
  await onStolen.send("stolen by now");
  const mls = mlsOf(stolen, adminGroup.id);
  const { plaintext } = encodeWith(leaveRequestCodec, undefined, mls.groupId);
  await publishRaw(stolen, (await mls.encryptApplication(plaintext)).message);
  await memberGroup.sync();
  // Nobody knew it when this was read.
  assert.deepEqual(textsOf(memberGroup).slice(0, 2), ["still mine", "stolen by now"]);
  const { store } = member.environment;
  assert.equal(store.leaveRequests.list().length, 1);

  await learn(member, inboxId);
  assert.deepEqual(
    store.messages.list().map(({ text }) => text),
    ["still mine"],
    "they are gone from the disk",
  );
  assert.deepEqual(store.leaveRequests.list(), []);
  await world.restart(member);
  assert.deepEqual(textsOf(groupOf(member, adminGroup.id)), ["still mine"]);
  // Who registers anew speaks as before.
  const phone = await world.device("phone", { signer: owner.signer });
  await adminGroup.updateInstallations();
  await phone.client.conversations.sync();
  await groupOf(phone, adminGroup.id).send("a new phone");
  await groupOf(member, adminGroup.id).sync();
  assert.deepEqual(textsOf(groupOf(member, adminGroup.id)), ["still mine", "a new phone"]);
  await admin.client.conversations.sync();
});

test("TRU-07 IDN-03 the same of an inbox that is no member any more when its revocation is learnt", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stolen = await world.device("stolen");
  const owner = await world.device("owner", { signer: stolen.signer });
  const { inboxId } = owner.client;
  await adminGroup.addMembers([inboxId]);
  for (const device of [stolen, owner, member]) await device.client.conversations.sync();
  await revoke(owner, stolen);
  await groupOf(stolen, adminGroup.id).send("stolen by now");
  // The admin's program looks at no identity log before it removes the inbox.
  const removals = leavesIn(admin, adminGroup.id, inboxId).map((removed): Proposal => ({ kind: "remove", removed }));
  assert.equal(removals.length, 2);
  await publishCommit(admin, adminGroup.id, removals, { op: "delete", inboxId });
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["stolen by now"]);
  await learn(member, inboxId);
  assert.deepEqual(textsOf(memberGroup), []);
  assert.deepEqual(member.environment.store.messages.list(), [], "it is gone from the disk");
});

/** A member whose database was put back, so that it is parted, and a revoked tablet of the super admin. */
async function partedMember(t: Parameters<typeof World.start>[0]) {
  const { world, pass } = await movableWorld(t);
  const { admin, member, adminGroup } = await world.group();
  const tablet = await world.device("tablet", { signer: admin.signer });
  await adminGroup.updateInstallations();
  for (const device of [tablet, member]) await device.client.conversations.sync();
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).send("after the backup");
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  await member.client.conversations.sync();
  assert.equal(groupOf(member, adminGroup.id).status, "parted");
  await groupOf(tablet, adminGroup.id).sync();
  return { world, pass, admin, member, adminGroup, tablet };
}

test("TRU-07 a Welcome that a revoked installation of a super admin signs is a stranger's: it brings nobody back", async (t) => {
  const { pass, admin, member, adminGroup, tablet } = await partedMember(t);
  const group = groupOf(member, adminGroup.id);
  const before = epochOf(group);
  await revoke(admin, tablet);
  pass(121);
  await welcomeBack(tablet, member, adminGroup.id, 2n ** 40n);
  await member.client.conversations.sync();
  assert.deepEqual([group.status, epochOf(group)], ["parted", before]);
  const [conflict] = await member.client.conversations.conflicts();
  assert.deepEqual(
    conflict?.claims.map(({ isShown }) => isShown),
    [true, false],
  );
  // The super admin's other installation answers the request, and that Welcome counts.
  await admin.client.conversations.sync();
  await member.client.conversations.sync();
  assert.deepEqual([group.status, epochOf(group)], ["pending", epochOf(adminGroup)]);
});

test("TRU-07 the same Welcome within two minutes of the revocation is followed, as natives do", async (t) => {
  const { admin, member, adminGroup, tablet } = await partedMember(t);
  await revoke(admin, tablet);
  await welcomeBack(tablet, member, adminGroup.id, 2n ** 40n);
  await member.client.conversations.sync();
  assert.equal(groupOf(member, adminGroup.id).status, "pending");
});

test("TRU-07 a Welcome of an own revoked installation brings nobody back after a removal either", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { adminGroup } = await world.group();
  const owner = await world.device("owner");
  const stolen = await world.device("stolen", { signer: owner.signer });
  await adminGroup.addMembers([owner.client.inboxId]);
  for (const device of [owner, stolen]) await device.client.conversations.sync();
  await revoke(owner, stolen);
  await adminGroup.removeMembers([owner.client.inboxId]);
  await owner.client.conversations.sync();
  pass(121);
  const group = groupOf(owner, adminGroup.id);
  await welcomeBack(stolen, owner, adminGroup.id, 2n ** 40n);
  await owner.client.conversations.sync();
  assert.deepEqual([group.status, group.isActive], ["removed", false]);
  assert.equal((await owner.client.conversations.conflicts()).length, 1);
});

test("TRU-10 a revoked installation that asks to be added again is not, and keeps no other from it", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const owner = await world.device("owner");
  const stolen = await world.device("stolen", { signer: owner.signer });
  await adminGroup.addMembers([owner.client.inboxId]);
  for (const device of [owner, stolen]) await device.client.conversations.sync();
  await revoke(owner, stolen);
  const { epoch } = adminGroup;
  await ask(stolen, admin, adminGroup.id);
  await admin.client.conversations.sync();
  assert.equal(adminGroup.epoch, epoch + 1n, "one commit, which takes it out");
  assert.equal(adminGroup.installationCount, 3);
  // Asked for again with another one that may be: one commit for the one alone.
  await ask(member, admin, adminGroup.id);
  await admin.client.conversations.sync();
  assert.equal(adminGroup.epoch, epoch + 2n);
  await member.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(member, adminGroup.id)), epochOf(adminGroup));
});

test("TRU-07 a member's commit that cites an older point lets a revoked device in, and the next send takes it out again", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const rogue = await world.device("rogue");
  await adminGroup.addMembers([rogue.client.inboxId]);
  await rogue.client.conversations.sync();
  const owner = await world.device("owner");
  const stolen = await world.device("stolen", { signer: owner.signer });
  const { inboxId } = owner.client;
  const log = await owner.environment.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }]);
  const cited = log[0]?.at(-1)?.sequenceId;
  assert.ok(cited !== undefined);
  const devices = [await keyPackageOf(owner), await keyPackageOf(stolen)];
  await revoke(owner, stolen);
  const entry = { sequenceId: cited, failedInstallations: [], admittedViaExternalGroupId: new Uint8Array(0) };
  const adds = devices.map((keyPackage): Proposal => ({ kind: "add", keyPackage }));
  await publishCommit(rogue, adminGroup.id, adds, { op: "insert", inboxId, entry });
  await adminGroup.sync();
  const seen = () => adminGroup.members().find((each) => each.inboxId === inboxId)?.installations.length;
  assert.equal(seen(), 2, "it is followed, as natives do");
  assert.deepEqual(adminGroup.rejections(), []);
  await memberGroup.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup), "nobody is parted");

  await memberGroup.send("without the thief");
  await adminGroup.sync();
  assert.equal(seen(), 1);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  assert.deepEqual(textsOf(adminGroup), ["without the thief"]);
});

test("TRU-10 DEV-02 a parted device comes back as a new installation without a super admin: any member lets it in", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const other = await world.device("other");
  await adminGroup.addMembers([other.client.inboxId]);
  await other.client.conversations.sync();
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).send("after the backup");
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  await member.client.conversations.sync();
  assert.equal(groupOf(member, adminGroup.id).status, "parted");
  // The super admin stays away. The person registers anew and revokes the installation that cannot follow any more.
  admin.client.close();
  const anew = await world.device("anew", { signer: member.signer });
  await anew.client.revokeInstallations([member.client.installationId]);
  other.clock.forward(6_000);
  await groupOf(other, adminGroup.id).send("come in");
  await anew.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(anew, adminGroup.id)), ["come in"]);
  await groupOf(anew, adminGroup.id).send("here I am");
  await groupOf(other, adminGroup.id).sync();
  assert.deepEqual(epochOf(groupOf(other, adminGroup.id)), epochOf(groupOf(anew, adminGroup.id)));
  assert.equal(textsOf(groupOf(other, adminGroup.id)).at(-1), "here I am");
});
