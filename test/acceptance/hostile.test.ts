import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  appDataUpdate,
  COMPONENT,
  decodeInvitePayload,
  encodeTextMessage,
  groupStateHash,
  revokeInstallationUpdate,
  wrapGroupInfo,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import {
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  NO_TRACES,
  publishRaw,
  readLog,
  textsOf,
  traces,
  World,
  type Wrap,
} from "./support.ts";

/** Changes what the node answers to queries of a group's log. */
function logSeen(change: (items: readonly Envelope[]) => Envelope[]): Wrap {
  return (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
      const page = await transport.queryGroupMessages(position, signal);
      return { ...page, items: change(page.items) };
    };
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  };
}

interface Envelope {
  readonly id: bigint;
  readonly createdNs: bigint;
  readonly data: Uint8Array;
}

test("SEC-07 a key holder serves a GroupInfo whose signature is wrong: no candidate, the reason is told", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const { payload } = await adminGroup.createInvite();
  const mls = mlsOf(admin, adminGroup.id);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const groupInfo = (await mls.exportGroupInfo()).slice();
  groupInfo[groupInfo.length - 1] = (groupInfo.at(-1) ?? 0) ^ 1;
  const digest = groupStateHash(suite, mls.contextBytes);
  const { symmetricKey } = decodeInvitePayload(payload);
  const { epoch } = mls;
  const blob = wrapGroupInfo({ suite, key: symmetricKey, groupInfo, epoch, groupStateHash: digest, expiresAtNs: 0n });
  const joiner = await world.device("joiner");

  const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, blob), "INVITE_NO_CANDIDATE");

  assert.deepEqual(error.data["reasons"], [{ code: "MLS_INVALID", rule: "group-info-signature" }]);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("SEC-01 an installation that was revoked does not join: IDENTITY_REVOKED before anything is sent", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const { inboxId, installationId } = joiner.client;
  const timestampNs = joiner.clock.nowNs();
  const revocation = await revokeInstallationUpdate({ wallet: joiner.signer, inboxId, installationId, timestampNs });
  await joiner.environment.transport.publishIdentityUpdate(revocation);
  const log = await readLog(joiner, adminGroup.id);

  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "IDENTITY_REVOKED");

  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("SEC-12 a node that hides the commit: NODE_UNREACHABLE, no group; once it shows it the join is done", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const known = (await readLog(await world.device("reader"), adminGroup.id)).length;
  let hiding = true;
  const joiner = await world.device("joiner", {
    wrap: logSeen((items) => items.filter(({ id }) => !hiding || id <= BigInt(known))),
  });

  await failsWith(joiner.client.conversations.joinByInvite(invite.url, { timeoutMs: 3_600_000 }), "NODE_UNREACHABLE");
  assert.deepEqual(joiner.client.conversations.list(), []);
  assert.equal(joiner.client.conversations.listPendingJoins().length, 1);

  hiding = false;
  await joiner.client.conversations.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(groupOf(joiner, adminGroup.id)), epochOf(adminGroup));
});

test("SEC-12 junk, repeated and reordered envelopes: nothing crashes, nothing forged is read, the rest arrives", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const junk = { createdNs: 1n, data: new TextEncoder().encode("no MLS message at all") };
  const disorder = (items: readonly Envelope[]) =>
    items.flatMap((item) => [{ ...item }, { ...junk, id: item.id }, { ...item, id: item.id - 1n }]);
  const joiner = await world.device("joiner", { wrap: logSeen(disorder) });

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await adminGroup.send("one");
  await adminGroup.send("two");
  await group.sync();
  assert.deepEqual(textsOf(group), ["one", "two"]);

  // A replayed message has new bytes to nobody: the node drops it, and so would every reader.
  const log = await readLog(admin, adminGroup.id);
  await publishRaw(admin, log.at(-1)?.data ?? new Uint8Array(0));
  assert.deepEqual(await readLog(admin, adminGroup.id), log);
});

test("SEC-12 an application message changed on its way is refused and recorded; what follows is read", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const { message } = await mlsOf(admin, adminGroup.id).encryptApplication(new TextEncoder().encode("x"));
  const forged = message.slice();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  await publishRaw(member, forged);
  await adminGroup.send("genuine");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["genuine"]);
  assert.deepEqual(
    memberGroup.rejections().map(({ code }) => code),
    ["CRYPTO"],
  );
});

test("SEC-12 a removed member says something with the keys of its last epoch: nobody takes it, and what follows is read", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const guest = await world.device("guest");
  await adminGroup.addMembers([guest.client.inboxId]);
  await guest.client.conversations.sync();
  await member.client.conversations.sync();
  const last = mlsOf(guest, adminGroup.id);
  await adminGroup.removeMembers([guest.client.inboxId]);

  const { plaintext } = encodeTextMessage(last.groupId, "from beyond");
  await publishRaw(guest, (await last.encryptApplication(plaintext)).message);
  await adminGroup.send("after the removal");
  await member.client.conversations.sync();

  for (const device of [admin, member])
    assert.deepEqual(textsOf(groupOf(device, adminGroup.id)), ["after the removal"]);
  assert.deepEqual(
    memberGroup.rejections().map(({ code }) => code),
    ["NOT_A_MEMBER"],
  );
});

test("a message of an unknown kind uses up its key, is recorded, and stops nobody", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const mls = mlsOf(member, adminGroup.id);
  const { message } = await mls.encryptApplication(new TextEncoder().encode("not a PlaintextEnvelope"));
  await publishRaw(member, message);
  await adminGroup.sync();
  assert.deepEqual(
    adminGroup.rejections().map(({ code }) => code),
    ["DECODE"],
  );
  assert.deepEqual(textsOf(adminGroup), []);
  await adminGroup.send("all is well");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup).slice(-1), ["all is well"]);
});

test("SEC-09 an identity log that cannot be read now stops at the commit, which is accepted when it can", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  let offline = false;
  const member = await world.device("member", {
    wrap: (environment) => {
      const { transport } = environment;
      const getIdentityUpdates: typeof transport.getIdentityUpdates = async (requests, signal) => {
        if (offline) throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
        return transport.getIdentityUpdates(requests, signal);
      };
      return { ...environment, transport: { ...transport, getIdentityUpdates } };
    },
  });
  const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId]);
  await member.client.conversations.sync();
  const invite = await adminGroup.createInvite();
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  const joiner = await world.device("joiner");
  await joiner.client.conversations.joinByInvite(invite.url);
  offline = true;

  await failsWith(memberGroup.sync(), "NODE_UNREACHABLE");
  assert.deepEqual(memberGroup.rejections(), []);
  offline = false;
  await memberGroup.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
});

test("TRU-12 hundreds of standalone proposals of a member without role keep nobody from sending or changing", async (t) => {
  const world = await World.start(t);
  const { admin, member: rogue, adminGroup } = await world.group();
  const other = await world.device("other");
  await adminGroup.addMembers([other.client.inboxId]);
  for (const device of [rogue, other]) await device.client.conversations.sync();
  const onOther = groupOf(other, adminGroup.id);
  const mls = mlsOf(rogue, adminGroup.id);
  const removed = mlsOf(admin, adminGroup.id).ownLeafIndex;
  for (let count = 0; count < 200; count++) {
    const name = new TextEncoder().encode(`name ${count}`);
    const proposal =
      count % 2 === 0 ? ({ kind: "remove", removed } as const) : appDataUpdate(COMPONENT.groupName, name);
    const { message, change } = await mls.createProposal(proposal);
    mls.merge(change);
    await publishRaw(rogue, message);
  }
  await onOther.send("still here");
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["still here"]);
  await adminGroup.updateName("after the proposals");
  await onOther.sync();
  assert.deepEqual([onOther.name, onOther.members().length], ["after the proposals", 3]);
  assert.deepEqual(epochOf(onOther), epochOf(adminGroup));
});

test("SEC-12 a node that shows the envelopes of one group in another harms neither", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const second = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Second" });
  await member.client.conversations.sync();
  for (const group of [adminGroup, second]) {
    await group.send(`in ${group.name}`);
    await group.rotateKeys();
  }
  const logs = [await readLog(admin, adminGroup.id), await readLog(admin, second.id)];
  await world.restart(
    member,
    logSeen((items) => {
      const foreign = logs.find((log) => log[0]?.id !== items[0]?.id) ?? [];
      const last = items.at(-1)?.id ?? 0n;
      return [...items, ...foreign.map((item, index) => ({ ...item, id: last + 1n + BigInt(index) }))];
    }),
  );
  await member.client.conversations.sync();
  await world.restart(member);
  await member.client.conversations.sync();
  for (const group of [adminGroup, second]) {
    const seen = groupOf(member, group.id);
    assert.deepEqual([textsOf(seen), seen.status, epochOf(seen)], [[`in ${group.name}`], "confirmed", epochOf(group)]);
    await group.send("and on");
    await seen.sync();
    assert.equal(textsOf(seen).at(-1), "and on");
  }
});
