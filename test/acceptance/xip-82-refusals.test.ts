import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { inspectInvite } from "@latchkey/client";
import { toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  decodeInvitePayload,
  encodeInvitePayload,
  groupStateHash,
  inviteUrl,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import { EncryptedGroupInfoBlobSchema, type EncryptedGroupInfoBlobV1 } from "@latchkey/xmtp/proto";
import { withoutKeyPackage } from "./key-packages.ts";
import { epochOf, failsWith, mlsOf, NO_TRACES, openSlot, readLog, traces, World, type Device } from "./support.ts";
import { allRefuse, rawExternalCommit } from "./forge.ts";
import { slotOf } from "./blobs.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);

/** The present GroupInfo of a device's group, wrapped under any key. */
async function wrapPresent(device: Device, groupId: string, key: Uint8Array): Promise<Uint8Array> {
  const mls = mlsOf(device, groupId);
  return wrapGroupInfo({
    suite,
    key,
    groupInfo: await mls.exportGroupInfo(),
    epoch: mls.epoch,
    groupStateHash: groupStateHash(suite, mls.contextBytes),
    expiresAtNs: 0n,
  });
}

test("X82-03 master switch off: an honest joiner stops before publishing", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await adminGroup.revokeInvite();
  const { symmetricKey } = decodeInvitePayload(invite.payload);
  const blob = await wrapPresent(admin, adminGroup.id, symmetricKey);
  const joiner = await world.device("joiner");
  const log = await readLog(joiner, adminGroup.id);

  await failsWith(joiner.client.joinGroupByExternalInvite(invite.payload, blob), "INVITE_DISABLED");

  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("X82-03 master switch off: every member rejects an external commit", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await adminGroup.createInvite();
  await adminGroup.revokeInvite();
  await memberGroup.sync();
  const joiner = await world.device("joiner");
  const commit = await rawExternalCommit(joiner, await mlsOf(admin, adminGroup.id).exportGroupInfo());

  await allRefuse([admin, member], adminGroup.id, commit, "ExternalCommitNotAllowed");
});

test("X82-06 a ciphertext changed in one byte is discarded; alone it ends the join, beside a genuine one it does not", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const { blob } = await adminGroup.createExternalInvite();
  const altered = blob.slice();
  const middle = altered.length >> 1;
  altered[middle] = (altered[middle] ?? 0) ^ 1;
  const joiner = await world.device("joiner");
  const { slots } = joiner.environment;
  const payload = decodeInvitePayload(invite.payload);
  const lonely = { ...payload, externalGroupId: nodeCrypto.randomBytes(16) };
  await slots.upload({ serviceUrl: world.node.url, externalGroupId: lonely.externalGroupId }, altered);
  await slots.upload(slotOf(invite.payload, world.node.url), altered);

  const link = inviteUrl(lonely, "https://latchkey.link/i");
  const error = await failsWith(joiner.client.conversations.joinByInvite(link), "INVITE_NO_CANDIDATE");
  assert.deepEqual(error.data["reasons"], [{ code: "INVITE_NO_CANDIDATE", rule: "Unwrap" }]);
  assert.equal(error.retryable, true);
  assert.deepEqual(traces(joiner), NO_TRACES);

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("X82-08 a blob past its end is refused, even when the service still serves it", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const hour = 3_600_000_000_000n;
  const invite = await adminGroup.createInvite({ expiresAtNs: admin.clock.nowNs() + hour });
  const { blob } = await adminGroup.createExternalInvite();
  const joiner = await world.device("joiner");
  const log = await readLog(joiner, adminGroup.id);
  joiner.clock.forward(3_600_001);

  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_EXPIRED");
  await failsWith(joiner.client.joinGroupByExternalInvite(invite.payload, blob), "INVITE_EXPIRED");

  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("X82-17 a genuine blob served again with another end, epoch or digest does not open", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload, blob } = await adminGroup.createExternalInvite();
  const joiner = await world.device("joiner");
  const changes: Partial<EncryptedGroupInfoBlobV1>[] = [
    { expiresAtNs: (1n << 62n) - 1n },
    { epoch: 1_000_000n },
    { groupStateHash: { $typeName: "xmtp.mls.message_contents.GroupStateHash", digest: new Uint8Array(32) } },
  ];
  const altered = changes.map((change) => {
    const { version } = fromBinary(EncryptedGroupInfoBlobSchema, blob);
    if (version.case !== "v1") throw new Error("not a blob of version 1");
    const value = { ...version.value, ...change };
    return toBinary(
      EncryptedGroupInfoBlobSchema,
      create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } }),
    );
  });

  const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, altered), "INVITE_NO_CANDIDATE");

  const unwrap = { code: "INVITE_NO_CANDIDATE", rule: "Unwrap" };
  assert.deepEqual(error.data["reasons"], [unwrap, unwrap, unwrap]);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("X82-18 a member that scans is told so before anything is published", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const tablet = await world.device("tablet", { signer: member.signer });
  const log = await readLog(member, adminGroup.id);

  await failsWith(member.client.conversations.joinByInvite(invite.url), "ALREADY_MEMBER");
  await failsWith(tablet.client.conversations.joinByInvite(invite.url), "DEVICE_WAITS");

  assert.deepEqual(await readLog(member, adminGroup.id), log);
  assert.deepEqual(traces(tablet), { ...NO_TRACES, joins: 1 });
});

test("X82-18 an existing member external-commits another of its devices: rejected by everyone", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const { device: tablet } = await withoutKeyPackage(world, "tablet", member.signer);
  const groupInfo = await openSlot(tablet, invite.payload, world.node.url);
  const commit = await rawExternalCommit(tablet, groupInfo);

  await allRefuse([admin, member], adminGroup.id, commit, "ExternalCommitJoinerAlreadyMember");
});

test("REV-11 a PublicMessage is accepted as an external commit only: a member's public commit is rejected", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const mls = mlsOf(member, adminGroup.id);
  const { message } = await mls.createCommit({ wireFormat: "public_message" });

  await allRefuse([admin], adminGroup.id, message, "UnsupportedMessageType");
});

test("REV-11 a PublicMessage is accepted as an external commit only: a member's public proposal is rejected", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const mls = mlsOf(member, adminGroup.id);
  const { message } = await mls.createUpdate({ wireFormat: "public_message" });

  await allRefuse([admin], adminGroup.id, message, "UnsupportedMessageType");
});

test("SEC-01 a joiner that claims somebody else's inbox id is rejected by everyone", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const victim = await world.device("victim");
  const attacker = await world.device("attacker");
  const groupInfo = await openSlot(attacker, invite.payload, world.node.url);
  const commit = await rawExternalCommit(attacker, groupInfo, { inboxId: victim.client.inboxId });

  await allRefuse([admin, member], adminGroup.id, commit, "ExternalCommitNotAnInstallation");
});

test("SEC-10 what is shown of an invite holds no key", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const summary = inspectInvite(invite.url);
  const { symmetricKey } = decodeInvitePayload(invite.payload);
  assert.equal(summary.serviceUrl, world.node.url);
  assert.equal(JSON.stringify(summary).includes(toHex(symmetricKey)), false);
  assert.equal(summary.checksum, "right");
  // A payload alone carries no checksum.
  const ofPayload = inspectInvite(encodeInvitePayload(decodeInvitePayload(invite.payload)));
  assert.deepEqual(ofPayload, { ...summary, checksum: "absent" });
});
