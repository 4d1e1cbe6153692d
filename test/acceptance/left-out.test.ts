import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Group } from "@latchkey/client";
import { appDataUpdate, COMPONENT, membershipDelta, readGroupState } from "@latchkey/xmtp";
import { allRefuse, forgeMemberCommit, keyPackageOf } from "./forge.ts";
import { looksNative, withoutKeyPackage } from "./key-packages.ts";
import { revoke } from "./movable-world.ts";
import { epochOf, groupOf, mlsOf, World, type Device } from "./support.ts";

/** A phone whose laptop has no key package yet, a member of ours, and one whose client looks like XMTP's own. */
async function mixedGroup(t: TestContext) {
  const world = await World.start(t);
  const phone = await world.device("phone");
  const { device: laptop, release } = await withoutKeyPackage(world, "laptop", phone.signer);
  const member = await world.device("member");
  const rogue = await world.device("rogue");
  const native = await world.device("native");
  await looksNative(native);
  const others = [member, rogue, native].map(({ client }) => client.inboxId);
  const group = await phone.client.conversations.createGroup(others);
  for (const { client } of [member, rogue]) await client.conversations.sync();
  return { world, phone, laptop, release, member, rogue, native, group, onMember: groupOf(member, group.id) };
}

function inboxesOf(group: Group): string[] {
  return group
    .members()
    .map(({ inboxId }) => inboxId)
    .sort();
}

/** Everything that a client does by itself, once. */
async function goOn(...devices: readonly Device[]): Promise<void> {
  for (const device of devices) {
    await device.client.conversations.sync();
    const stop = new AbortController();
    const sleep = device.clock.sleep.bind(device.clock);
    device.clock.sleep = async () => stop.abort();
    await device.client.keepInvitesFresh({ signal: stop.signal });
    device.clock.sleep = sleep;
  }
}

test("TRU-22 a device that was left out stays out while one member's client refuses late additions", async (t) => {
  const { phone, laptop, release, member, rogue, native, group, onMember } = await mixedGroup(t);
  await release();
  const out = { installationId: laptop.client.installationId, fault: undefined, canBeAddedLater: false };
  const before = epochOf(group);

  await goOn(phone, member);
  await group.updateInstallations();
  await onMember.updateInstallations();

  assert.deepEqual([epochOf(group), epochOf(onMember)], [before, before]);
  const leftOut = () => onMember.members().find(({ inboxId }) => inboxId === phone.client.inboxId)?.leftOut;
  assert.deepEqual(leftOut(), [out]);

  // An older program adds it all the same: XMTP's clients refuse that commit, and so does everybody else.
  const { members } = readGroupState(mlsOf(phone, group.id).appData);
  const entry = members.get(phone.client.inboxId);
  assert.ok(entry !== undefined);
  const update = membershipDelta([
    { op: "update", inboxId: phone.client.inboxId, entry: { ...entry, failedInstallations: [] } },
  ]);
  const late = await forgeMemberCommit(rogue, group.id, [
    { kind: "add", keyPackage: await keyPackageOf(laptop) },
    appDataUpdate(COMPONENT.groupMembership, update),
  ]);
  await allRefuse([phone, member], group.id, late, "UnexpectedInstallationAdded");

  // Once that member has gone nobody is in the way.
  await group.removeMembers([native.client.inboxId]);
  await phone.client.conversations.sync();
  await onMember.sync();
  await laptop.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(laptop, group.id)), epochOf(onMember));
  assert.deepEqual(leftOut(), []);
});

test("TRU-22 NAT-01 an inbox with a device left out is followed and removed as XMTP's clients expect", async (t) => {
  const { world, phone, member, release, group, onMember } = await mixedGroup(t);
  const entryOf = (device: Device) =>
    readGroupState(mlsOf(member, group.id).appData).members.get(device.client.inboxId);
  const [lost] = entryOf(phone)?.failedInstallations ?? [];
  assert.ok(lost !== undefined);

  // A new installation comes in by its registration; the one that was left out does not come along with it.
  const tablet = await world.device("tablet", { signer: phone.signer });
  await onMember.updateInstallations();
  await tablet.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(tablet, group.id)), epochOf(onMember));
  assert.deepEqual(entryOf(phone)?.failedInstallations, [lost]);

  // A removal lists what it cannot remove in an entry that stays, and nobody is shown another's device.
  await group.sync();
  await group.promote(member.client.inboxId, "super_admin");
  await onMember.sync();
  await onMember.demote(phone.client.inboxId, "super_admin");
  await onMember.removeMembers([phone.client.inboxId]);
  assert.deepEqual(entryOf(member)?.failedInstallations, [lost]);
  assert.deepEqual(
    onMember.members().map(({ failedInstallations }) => failedInstallations),
    [[], [], []],
  );
  // Added again with a key package that can be used, the inbox has all its devices.
  await release();
  await onMember.addMembers([phone.client.inboxId]);
  assert.equal(onMember.installationCount, 6);
});

test("TRU-22 NAT-02 ProposerNotFound: an inbox whose devices were all revoked stays beside XMTP's clients", async (t) => {
  const { phone, member, rogue, native, group, onMember } = await mixedGroup(t);
  const onRogue = groupOf(rogue, group.id);
  await onMember.leave();
  await revoke(member, member);
  await onRogue.updateInstallations();
  const left = onRogue.members().find(({ inboxId }) => inboxId === member.client.inboxId);
  assert.deepEqual(left?.installations, []);

  // Whoever may remove it leaves it in, and goes on with the others.
  await onRogue.leave();
  await group.sync();
  assert.deepEqual(inboxesOf(group), [phone, member, native].map(({ client }) => client.inboxId).sort());
  const before = epochOf(group);
  await assert.rejects(group.removeMembers([native.client.inboxId, member.client.inboxId]), {
    code: "NOT_PERMITTED",
    rule: "ProposerNotFound",
  });
  assert.deepEqual(epochOf(group), before);

  await group.removeMembers([native.client.inboxId]);
  await group.sync();
  assert.deepEqual(inboxesOf(group), [phone.client.inboxId]);
});
