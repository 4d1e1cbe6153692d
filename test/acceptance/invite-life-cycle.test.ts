import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeAppDataDictionary, EXTENSION_TYPE, fromHex, replaceExtension, type Proposal } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  appDataUpdate,
  applyAppDataUpdates,
  COMPONENT,
  decodeInvitePayload,
  membershipDelta,
  policyUpdate,
  readGroupState,
  revokePolicy,
  unwrapGroupInfo,
  XMTP_CIPHER_SUITE,
  type MembershipMutation,
} from "@latchkey/xmtp";
import { ExternalCommitPolicyEntrySchema, type ExternalCommitPolicyV1 } from "@latchkey/xmtp/proto";
import { presentBlob } from "./blobs.ts";
import { allRefuse, allRefuseEach, forgeMemberCommit, rawExternalCommit } from "./forge.ts";
import { epochOf, failsWith, mlsOf, NO_TRACES, openSlot, readLog, traces, World, type Device } from "./support.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const HOUR_MS = 3_600_000;

/** A member's commit of one AppDataUpdate, as the engine makes it without the client's checks. */
async function rawUpdateCommit(device: Device, groupId: string, componentId: number, update: Uint8Array) {
  const mls = mlsOf(device, groupId);
  const proposal = appDataUpdate(componentId, update);
  const appData = applyAppDataUpdates(mls.appData, [proposal]);
  return (await mls.createCommit({ proposals: [proposal], appData })).message;
}

/** The policy component of a device's group, as it is stored. */
function policyBytes(device: Device, groupId: string): Uint8Array | undefined {
  return mlsOf(device, groupId).appData.get(COMPONENT.externalCommitPolicy);
}

test("X82-05 after a rotation of the key the old link opens nothing that is wrapped from then on; the new one works", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const old = await adminGroup.createInvite();
  const fresh = await adminGroup.rotateInvite();
  await memberGroup.sync();
  await memberGroup.updateName("wrapped after the rotation");
  const joiner = await world.device("joiner");
  const { externalGroupId, symmetricKey: oldKey } = decodeInvitePayload(old.payload);
  const { symmetricKey: newKey } = decodeInvitePayload(fresh.payload);
  assert.equal(fresh.externalGroupId, old.externalGroupId);

  const { blobs = [] } = await joiner.environment.slots.fetch({ serviceUrl: world.node.url, externalGroupId });
  const [before, ...after] = blobs;
  assert.ok(before !== undefined && after.length === 2);
  for (const blob of after) {
    assert.throws(() => unwrapGroupInfo(blob, oldKey, { suite }), { code: "INVITE_NO_CANDIDATE", rule: "Unwrap" });
    unwrapGroupInfo(blob, newKey, { suite });
  }
  assert.throws(() => unwrapGroupInfo(before, newKey, { suite }), { code: "INVITE_NO_CANDIDATE", rule: "Unwrap" });
  await failsWith(joiner.client.joinGroupByExternalInvite(old.payload, after), "INVITE_NO_CANDIDATE");
  assert.deepEqual(traces(joiner), NO_TRACES);

  const { group } = await joiner.client.conversations.joinByInvite(fresh.url);
  assert.equal(group.name, "wrapped after the rotation");
});

test("X82-07 after a rotation of the slot the old link finds only stale blobs and aborts; nobody lands in the group", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const old = await adminGroup.createInvite();
  const fresh = await adminGroup.rotateInvite({ slot: true });
  assert.notEqual(fresh.externalGroupId, old.externalGroupId);
  const joiner = await world.device("joiner");
  const log = await readLog(joiner, adminGroup.id);

  await failsWith(joiner.client.conversations.joinByInvite(old.url), "INVITE_STALE");
  // Even one who wraps the present state for the old link, as a former member with the key could, lets nobody in.
  const { symmetricKey } = decodeInvitePayload(old.payload);
  const present = await presentBlob(admin, adminGroup.id, { key: symmetricKey });
  await failsWith(joiner.client.joinGroupByExternalInvite(old.payload, present), "INVITE_ROTATED");

  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);
  assert.equal(adminGroup.members().length, 2);
});

test("X82-12 max_uses = 2: the third is rejected by everyone; a new key changes nothing, a new slot starts afresh", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite({ maxUses: 2 });
  const [first, second, third] = [
    await world.device("first"),
    await world.device("second"),
    await world.device("third"),
  ];
  await first.client.conversations.joinByInvite(invite.url);
  await second.client.conversations.joinByInvite(invite.url);
  await failsWith(third.client.conversations.joinByInvite(invite.url), "INVITE_EXHAUSTED");
  const commit = await rawExternalCommit(third, await openSlot(third, invite.payload, world.node.url));
  await allRefuse([admin, member, first, second], adminGroup.id, commit, "ExternalCommitMaxUsesExhausted");

  const otherKey = await adminGroup.rotateInvite();
  await failsWith(third.client.conversations.joinByInvite(otherKey.url), "INVITE_EXHAUSTED");
  const otherSlot = await adminGroup.rotateInvite({ slot: true });
  const { group } = await third.client.conversations.joinByInvite(otherSlot.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(group.members().length, 5);
});

test("X82-16 who joined after the invite was issued counts its uses from the group's state and judges as the others", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite({ maxUses: 1 });
  const friend = await world.device("friend");
  await adminGroup.addMembers([friend.client.inboxId]);
  const first = await world.device("first");
  const sibling = await world.device("sibling", { signer: first.signer });
  await first.client.conversations.joinByInvite(invite.url);
  for (const device of [friend, sibling]) await device.client.conversations.sync();
  const second = await world.device("second");
  const commit = await rawExternalCommit(second, await openSlot(second, invite.payload, world.node.url));

  const everybody = [admin, member, friend, first, sibling];
  await allRefuse(everybody, adminGroup.id, commit, "ExternalCommitMaxUsesExhausted");
});

test("X82-19 a member's commit that clears, sets or changes a tag is rejected, its own included", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const guest = await world.device("guest");
  const { group } = await guest.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await memberGroup.sync();
  const { members } = readGroupState(mlsOf(admin, group.id).appData);
  const tagged = members.get(guest.client.inboxId);
  const untagged = members.get(member.client.inboxId);
  assert.ok(tagged !== undefined && untagged !== undefined);
  assert.equal(tagged.admittedViaExternalGroupId.length, 16);
  const NO_TAG = new Uint8Array(0);
  const other = new Uint8Array(16);
  const change = (device: Device, base: typeof tagged, tag: Uint8Array): MembershipMutation => ({
    op: "update",
    inboxId: device.client.inboxId,
    entry: { ...base, admittedViaExternalGroupId: tag },
  });
  const again: MembershipMutation[] = [
    { op: "delete", inboxId: guest.client.inboxId },
    { op: "insert", inboxId: guest.client.inboxId, entry: { ...tagged, admittedViaExternalGroupId: NO_TAG } },
  ];
  const tamper = (device: Device, mutations: readonly MembershipMutation[]) =>
    rawUpdateCommit(device, group.id, COMPONENT.groupMembership, membershipDelta(mutations));

  const rule = "AdmittedViaTagImmutable";
  const cases: readonly (readonly [Device, readonly MembershipMutation[]])[] = [
    [admin, [change(guest, tagged, NO_TAG)]],
    [admin, [change(guest, tagged, other)]],
    [admin, [change(member, untagged, tagged.admittedViaExternalGroupId)]],
    [admin, again],
    [guest, [change(guest, tagged, NO_TAG)]],
  ];
  for (const [device, mutations] of cases) {
    // Who forges a commit with its own signature is out of the group's history from then on, and judges no other.
    const others = device === admin ? [member, guest] : [member];
    await allRefuse(others, group.id, await tamper(device, mutations), rule);
  }
});

test("X82-19 a rewrite for a new installation carries the tag through, whoever makes it", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite({ maxUses: 1 });
  const guest = await world.device("guest");
  const { group } = await guest.client.conversations.joinByInvite(invite.url);
  await world.device("guest's tablet", { signer: guest.signer });
  await adminGroup.updateInstallations();
  await world.device("guest's watch", { signer: guest.signer });
  await group.updateInstallations();
  await adminGroup.sync();
  await memberGroup.sync();
  const entry = adminGroup.members().find(({ inboxId }) => inboxId === guest.client.inboxId);
  assert.deepEqual([entry?.installations.length, entry?.joinedByInvite], [3, true]);
  const { members } = readGroupState(mlsOf(admin, group.id).appData);
  assert.deepEqual(members.get(guest.client.inboxId)?.admittedViaExternalGroupId, fromHex(invite.externalGroupId));
  assert.deepEqual(epochOf(memberGroup), epochOf(group));
});

test("X82-20 members that process a join days apart reach the same verdict: only the envelope's time counts", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const expiresAtNs = admin.clock.nowNs() + BigInt(HOUR_MS) * 1_000_000n;
  const invite = await adminGroup.createInvite({ expiresAtNs, staleAfterNs: BigInt(HOUR_MS) * 1_000_000n });
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  member.clock.forward(72 * HOUR_MS);
  await memberGroup.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.deepEqual(memberGroup.rejections(), []);
});

test("X82-20 a join after the end, or into an epoch that is too old, is rejected by all, whatever their clocks say", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  member.clock.forward(-72 * HOUR_MS);
  const joiner = await world.device("joiner");
  // An admin whose clock is behind takes a time that is over for one that is to come.
  admin.clock.forward(-2 * HOUR_MS);
  const overNs = admin.clock.nowNs() + BigInt(HOUR_MS) * 1_000_000n;
  const refusals = [
    [{ expiresAtNs: overNs }, "ExternalCommitInviteExpired"],
    [{ staleAfterNs: 1n }, "ExternalCommitInviteStale"],
  ] as const;
  for (const [options, rule] of refusals) {
    await adminGroup.createInvite(options);
    const commit = await rawExternalCommit(joiner, await mlsOf(admin, adminGroup.id).exportGroupInfo());
    await allRefuse([admin, member], adminGroup.id, commit, rule);
  }
});

test("X82-21 an invite past its end is dropped before a commit is built, also when the blob says nothing of it", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const hour = BigInt(HOUR_MS) * 1_000_000n;
  const joiner = await world.device("joiner");
  for (const options of [{ expiresAtNs: admin.clock.nowNs() + hour }, { staleAfterNs: hour }]) {
    const invite = await adminGroup.createInvite(options);
    const { blob } = await adminGroup.createExternalInvite();
    const { symmetricKey } = decodeInvitePayload(invite.payload);
    const endless = await presentBlob(admin, adminGroup.id, { key: symmetricKey });
    const log = await readLog(joiner, adminGroup.id);
    joiner.clock.forward(HOUR_MS + 1);
    await failsWith(joiner.client.joinGroupByExternalInvite(invite.payload, blob), "INVITE_EXPIRED");
    if (options.expiresAtNs !== undefined) {
      await failsWith(joiner.client.joinGroupByExternalInvite(invite.payload, endless), "INVITE_EXPIRED");
    }
    joiner.clock.forward(-HOUR_MS - 1);
    assert.deepEqual(await readLog(joiner, adminGroup.id), log);
    assert.deepEqual(traces(joiner), NO_TRACES);
  }
});

test("X82-26 a revocation that leaves a per-invite field, and one planted while the switch is off, are rejected", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  // Who forges a commit with its own signature goes on no more: each of these does it once.
  const forgers = [await world.device("first forger"), await world.device("second forger")];
  await adminGroup.addMembers(forgers.map(({ client }) => client.inboxId));
  for (const { client } of forgers) await adminGroup.promote(client.inboxId, "super_admin");
  await adminGroup.createInvite({ expiresAtNs: admin.clock.nowNs() * 2n, staleAfterNs: 1n, maxUses: 3 });
  const [first = admin, second = admin] = forgers;
  const policyIn = () => readGroupState(mlsOf(admin, adminGroup.id).appData).policy;
  const enabled = policyIn();
  assert.ok(enabled !== undefined);
  const write = async (forger: Device, value: Omit<Partial<ExternalCommitPolicyV1>, "$typeName" | "$unknown">) => {
    const entry = create(ExternalCommitPolicyEntrySchema, { version: { case: "v1", value } });
    const bytes = toBinary(ExternalCommitPolicyEntrySchema, entry);
    return rawUpdateCommit(forger, adminGroup.id, COMPONENT.externalCommitPolicy, bytes);
  };
  const { symmetricKey, externalGroupId, expiresAtNs, refreshPointers } = enabled;
  assert.ok(symmetricKey !== undefined);
  const left = [{ symmetricKey }, { externalGroupId }, { expiresAtNs }, { refreshPointers }];
  const refuseAll = async (forger: Device) => {
    await forger.client.conversations.sync();
    const messages = [];
    for (const field of left) messages.push([await write(forger, field), "PerInviteFieldNotCleared"] as const);
    const illegal = await write(forger, { allowExternalCommit: true, externalGroupId });
    messages.push([illegal, "MissingSymmetricKey"] as const);
    await allRefuseEach([member], adminGroup.id, messages);
  };
  await refuseAll(first);
  await adminGroup.revokeInvite();
  assert.equal(policyIn()?.allowExternalCommit, false);
  await refuseAll(second);
});

test("X82-26 after a revocation the policy is as if there had never been an invite; enabling again mints fresh values", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const old = await adminGroup.createInvite({ expiresAtNs: admin.clock.nowNs() * 2n, staleAfterNs: 7n, maxUses: 3 });
  await adminGroup.revokeInvite();
  const never = policyUpdate({ ...revokePolicy(undefined), expireInNs: 7n, maxUses: 3 });
  assert.deepEqual(policyBytes(admin, adminGroup.id), never);
  assert.equal(adminGroup.invite, undefined);
  const fresh = await adminGroup.createInvite();
  assert.notEqual(fresh.externalGroupId, old.externalGroupId);
  assert.notDeepEqual(decodeInvitePayload(fresh.payload).symmetricKey, decodeInvitePayload(old.payload).symmetricKey);
  assert.equal(fresh.expiresAtNs, undefined);
});

test("X82-11 the limits of an invite are changed while its link goes on working, for super admins only", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite({ maxUses: 1 });
  const [first, second] = [await world.device("first"), await world.device("second")];
  await first.client.conversations.joinByInvite(invite.url);
  await failsWith(second.client.conversations.joinByInvite(invite.url), "INVITE_EXHAUSTED");
  await memberGroup.sync();
  await failsWith(memberGroup.changeInvite({ maxUses: 0 }), "NOT_PERMITTED");

  const expiresAtNs = admin.clock.nowNs() + 3_600_000_000_000n;
  const changed = await adminGroup.changeInvite({ maxUses: 2, expiresAtNs });
  assert.deepEqual([changed.url, changed.expiresAtNs], [invite.url, expiresAtNs]);
  const { group } = await second.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  const third = await world.device("third");
  await failsWith(third.client.conversations.joinByInvite(invite.url), "INVITE_EXHAUSTED");
  assert.equal((await adminGroup.changeInvite({ maxUses: 0, expiresAtNs: 0n })).expiresAtNs, undefined);
  await third.client.conversations.joinByInvite(invite.url);

  await adminGroup.revokeInvite();
  await failsWith(adminGroup.changeInvite({ maxUses: 3 }), "INVITE_DISABLED");
});

test("X82-05 removing somebody alone leaves the invite in their hands, and the result says so", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const unharmed = await adminGroup.removeMembers(["99".repeat(32)]);
  assert.deepEqual(unharmed, {
    removed: [],
    joinedMeanwhile: [],
    invite: undefined,
    mayHoldLiveInvite: false,
    renewalPending: false,
  });
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const removal = await adminGroup.removeMembers([member.client.inboxId], { rotateInvite: false });
  assert.deepEqual(removal.removed, [member.client.inboxId]);
  assert.equal(removal.mayHoldLiveInvite, true);
  assert.deepEqual(removal.invite?.payload, invite.payload);
  await memberGroup.sync();
  await member.client.conversations.joinByInvite(invite.url);
  assert.equal(memberGroup.isActive, true);

  const ended = await adminGroup.createInvite({ expiresAtNs: admin.clock.nowNs() + BigInt(HOUR_MS) * 1_000_000n });
  admin.clock.forward(HOUR_MS + 1);
  const late = await adminGroup.removeMembers([member.client.inboxId]);
  assert.deepEqual([late.mayHoldLiveInvite, late.invite?.url], [false, ended.url]);
});

for (const rotateInvite of ["key", "slot"] as const) {
  test(`X82-05 removing somebody with a new ${rotateInvite}: the old link is dead, the new one lives`, async (t) => {
    const world = await World.start(t);
    const { member, adminGroup, memberGroup } = await world.group();
    const old = await adminGroup.createInvite({ maxUses: 5 });
    await memberGroup.sync();
    const { epoch } = adminGroup;
    const { mayHoldLiveInvite, invite } = await adminGroup.removeMembers([member.client.inboxId], { rotateInvite });
    assert.equal(adminGroup.epoch, epoch + 2n);
    assert.equal(mayHoldLiveInvite, false);
    assert.ok(invite !== undefined);
    assert.equal(invite.externalGroupId === old.externalGroupId, rotateInvite === "key");
    await memberGroup.sync();
    assert.equal(memberGroup.isActive, false);
    await failsWith(member.client.conversations.joinByInvite(old.url), "INVITE_STALE");
    const { group } = await member.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
  });
}

test("SEC-08 a member's commit that changes the app data by GroupContextExtensions is rejected", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const mls = mlsOf(admin, adminGroup.id);
  const renamed = new Map(mls.appData).set(COMPONENT.groupName, new TextEncoder().encode("renamed"));
  const data = encodeAppDataDictionary(renamed);
  const { extensions } = mls.context;
  const changes = [
    replaceExtension(extensions, { type: EXTENSION_TYPE.appDataDictionary, data }),
    extensions.filter(({ type }) => type !== EXTENSION_TYPE.appDataDictionary),
  ];
  for (const changed of changes) {
    const proposal: Proposal = { kind: "group_context_extensions", extensions: changed };
    const commit = await forgeMemberCommit(admin, adminGroup.id, [proposal]);
    await allRefuse([member], adminGroup.id, commit, { code: "MLS_INVALID", rule: "app-data-by-gce" });
  }
});

test("TRU-19 an invite tells until when its service serves the blob: 400 days from the last upload", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const beforeNs = BigInt(Date.now()) * 1_000_000n;
  const { servedUntilNs = 0n } = await adminGroup.createInvite();
  const lifeNs = 400n * 86_400n * 1_000_000_000n;
  assert.ok(servedUntilNs >= beforeNs + lifeNs && servedUntilNs <= BigInt(Date.now() + 60_000) * 1_000_000n + lifeNs);
  await adminGroup.updateName("a new state, uploaded anew");
  const { servedUntilNs: later = 0n } = adminGroup.invite ?? {};
  assert.ok(later >= servedUntilNs);
});
