import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { decodeMlsMessage, encodeMlsMessage, groupContextBytes, type GroupInfo } from "@latchkey/mls";
import { signGroupInfo } from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  decodeInvitePayload,
  groupStateHash,
  peekBlob,
  XMTP_CIPHER_SUITE,
  XMTP_LIMITS,
  type GroupInfoBlob,
} from "@latchkey/xmtp";
import { EncryptedGroupInfoBlobSchema } from "@latchkey/xmtp/proto";
import type { JoinProgress } from "@latchkey/client";
import { presentBlob, keylessSlot, slotOf } from "./blobs.ts";
import {
  configOf,
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  NO_TRACES,
  readLog,
  traces,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);

/** A blob as a stranger without the key can write it. */
function junk(epoch: bigint, ciphertextBytes = 900, claims?: GroupInfoBlob): Uint8Array {
  const value = {
    nonce: nodeCrypto.randomBytes(12),
    ciphertext: nodeCrypto.randomBytes(ciphertextBytes),
    epoch: claims?.epoch ?? epoch,
    groupStateHash: { digest: claims?.groupStateHash ?? nodeCrypto.randomBytes(32) },
    expiresAtNs: 0n,
  };
  return toBinary(
    EncryptedGroupInfoBlobSchema,
    create(EncryptedGroupInfoBlobSchema, { version: { case: "v1", value } }),
  );
}

/** The GroupInfo of a device's group with another epoch in it, signed by that device again. */
async function groupInfoAt(device: Device, groupId: string, epoch: bigint, signer: Device = device) {
  const decoded = decodeMlsMessage(await mlsOf(device, groupId).exportGroupInfo());
  if (decoded.wireFormat !== "group_info") throw new Error("not a GroupInfo");
  const { context: before, extensions, confirmationTag, signer: leaf }: GroupInfo = decoded.message;
  const context = { ...before, epoch };
  const { privateKey } = configOf(signer).identity.signatureKeyPair;
  const message = await signGroupInfo(suite, privateKey, { context, extensions, confirmationTag, signer: leaf });
  return {
    groupInfo: encodeMlsMessage({ wireFormat: "group_info", message }),
    epoch,
    groupStateHash: groupStateHash(suite, groupContextBytes(context)),
  };
}

test("X82-13 garbage of a stranger that claims a huge epoch is discarded; the genuine blob is chosen", async (t) => {
  const world = await World.start(t);
  const { admin, memberGroup } = await world.group();
  // A slot that nobody closes: the vandal needs no key to write it.
  await world.restart(admin, (environment) => ({ ...environment, slotCredentials: false }));
  const adminGroup = groupOf(admin, memberGroup.id);
  const invite = await adminGroup.createInvite();
  const vandal = await world.device("vandal");
  const slot = keylessSlot(invite.payload, world.node.url);
  for (let count = 0; count < 7; count++) await vandal.environment.slots.upload(slot, junk((1n << 64n) - 1n));
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));

  // The slot is not bricked: the next blobs push the garbage out in their turn.
  await memberGroup.sync();
  await memberGroup.updateName("renamed");
  const next = await world.device("next");
  assert.equal((await next.client.conversations.joinByInvite(invite.url)).group.name, "renamed");
});

test("X82-14 of several blobs that open the highest epoch is tried first, whatever the order they came in", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const blobs = [(await adminGroup.createExternalInvite()).blob];
  for (const name of ["second", "third"]) {
    await adminGroup.updateName(name);
    blobs.push((await adminGroup.createExternalInvite()).blob);
  }
  const [oldest, older, newest] = blobs;
  assert.ok(oldest !== undefined && older !== undefined && newest !== undefined);
  const joiner = await world.device("joiner");

  const { group } = await joiner.client.joinGroupByExternalInvite(invite.payload, [newest, oldest, older]);

  assert.equal(group.epoch, peekBlob(newest).epoch + 1n);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("X82-14 a higher epoch that does not verify is passed by for a lower one that does", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  const { epoch } = adminGroup;
  // Key holders who lie: in another member's name, and about an epoch that the group has not reached.
  const forged = await groupInfoAt(admin, adminGroup.id, epoch + 9n, member);
  const slot = slotOf(invite.payload, world.node.url);
  const liar = member.environment.slots;
  await liar.upload(slot, await presentBlob(admin, adminGroup.id, { key, ...forged }));
  await liar.upload(slot, await presentBlob(admin, adminGroup.id, { key, groupInfo: forged.groupInfo }));
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(group.epoch, epoch + 1n);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("X82-15 a key holder's blob that lies about epoch or state is discarded at the consistency check", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const { payload } = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const lies = [
    await presentBlob(admin, adminGroup.id, { key, epoch: adminGroup.epoch + 1n }),
    await presentBlob(admin, adminGroup.id, { key, groupStateHash: new Uint8Array(32) }),
    await presentBlob(admin, adminGroup.id, { key, groupInfo: new TextEncoder().encode("no MLS message") }),
  ];
  const joiner = await world.device("joiner");
  const log = await readLog(joiner, adminGroup.id);

  const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, lies), "INVITE_NO_CANDIDATE");

  assert.deepEqual(error.data["reasons"], [
    { code: "INVITE_NO_CANDIDATE", rule: "EpochMismatch" },
    { code: "INVITE_NO_CANDIDATE", rule: "GroupStateHashMismatch" },
    { code: "DECODE", rule: undefined },
  ]);
  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("X82-25 a flood of junk evicts the genuine blob; the next epoch advance repopulates the slot", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const vandal = await world.device("vandal");
  const slot = slotOf(invite.payload, world.node.url);
  for (let count = 0n; count < 8n; count++) await vandal.environment.slots.upload(slot, junk(count));
  const joiner = await world.device("joiner");
  const error = await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_NO_CANDIDATE");
  assert.equal(error.retryable, true);
  assert.deepEqual(traces(joiner), NO_TRACES);

  await adminGroup.updateName("repopulated");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(group.name, "repopulated");
});

/** Runs so many rounds of looking after a device's invites; returns how long it waited before each next one. */
async function rounds(device: Device, count: number, deepEvery: number): Promise<number[]> {
  const stop = new AbortController();
  const waits: number[] = [];
  const sleep = device.clock.sleep.bind(device.clock);
  device.clock.sleep = (ms, signal) => {
    if (waits.push(ms) === count) stop.abort();
    return sleep(ms, signal);
  };
  const failures: string[] = [];
  const onError = (_: string, { code }: { code: string }) => failures.push(code);
  await device.client.keepInvitesFresh({ signal: stop.signal, deepEvery, onError });
  device.clock.sleep = sleep;
  assert.deepEqual(failures, []);
  return waits;
}

/** Watches what a device asks of the invite service. */
function watchingSlots(calls: string[]): Wrap {
  return (environment) => {
    const { slots } = environment;
    const watched: typeof slots = {
      upload: (...args) => (calls.push("upload"), slots.upload(...args)),
      fetch: (...args) => (calls.push("fetch"), slots.fetch(...args)),
      exists: (...args) => (calls.push("exists"), slots.exists(...args)),
    };
    return { ...environment, slots: watched };
  };
}

test("X82-25 members look after the slot at once and then slowly: they ask, and upload only when the blob is gone", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const calls: string[] = [];
  await world.restart(member, watchingSlots(calls));
  const waits = await rounds(member, 5, 100);
  assert.deepEqual(calls, new Array(5).fill("exists"));
  for (const ms of waits) assert.ok(ms >= 1_800_000 && ms <= 5_400_000, `${ms}`);
  assert.ok(new Set(waits).size > 1);

  calls.length = 0;
  const vandal = await world.device("vandal");
  const slot = slotOf(invite.payload, world.node.url);
  for (let count = 0n; count < 8n; count++) await vandal.environment.slots.upload(slot, junk(count));
  await rounds(member, 2, 100);
  assert.deepEqual(calls, ["exists", "upload", "exists"]);
  const joiner = await world.device("joiner");
  await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(memberGroup.isActive, true);
});

test("X82-25 junk that claims the present state hides the loss from the question; the rare deep check finds it", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const calls: string[] = [];
  await world.restart(member, watchingSlots(calls));
  const vandal = await world.device("vandal");
  const slot = slotOf(invite.payload, world.node.url);
  const flood = async () => {
    const genuine = (await vandal.environment.slots.fetch(slot)).blobs?.at(-1);
    assert.ok(genuine !== undefined);
    for (let count = 0; count < 8; count++) {
      await vandal.environment.slots.upload(slot, junk(0n, 900 + count, peekBlob(genuine)));
    }
  };
  await flood();
  await rounds(member, 3, 3);
  assert.deepEqual(calls, ["exists", "exists", "fetch", "upload"]);
  const joiner = await world.device("joiner");
  await joiner.client.conversations.joinByInvite(invite.url);

  // Or as soon as somebody says that the invite does not work.
  await groupOf(member, adminGroup.id).sync();
  await flood();
  const next = await world.device("next");
  await failsWith(next.client.conversations.joinByInvite(invite.url), "INVITE_NO_CANDIDATE");
  await groupOf(member, adminGroup.id).refreshInvite();
  await failsWith(next.client.conversations.joinByInvite(invite.url), "INVITE_NO_CANDIDATE");
  await groupOf(member, adminGroup.id).refreshInvite({ deep: true });
  await next.client.conversations.joinByInvite(invite.url);
});

test("SEC-11 a service that serves 100 000 candidates costs no more than one that serves a few: the newest are looked at", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload, blob } = await adminGroup.createExternalInvite();
  const many = new Array<Uint8Array>(100_000).fill(junk(1n, 16));
  const joiner = await world.device("joiner");
  const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, many), "INVITE_NO_CANDIDATE");
  assert.equal((error.data["reasons"] as unknown[]).length, XMTP_LIMITS.maxCandidates);
  const { group } = await joiner.client.joinGroupByExternalInvite(payload, [...many, blob]);
  assert.equal(group.members().length, 3);
});

test("REV-09 one call fetches, selects, publishes, confirms and retries, and tells each step; a second attempt is counted", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  let interfere = true;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        // Somebody else's commit slips in right before ours arrives.
        if (interfere) {
          interfere = false;
          await memberGroup.updateName("first");
        }
        return transport.sendGroupMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  const told: JoinProgress[] = [];
  const { group } = await joiner.client.conversations.joinByInvite(invite.url, {
    onProgress: (progress) => told.push(progress),
  });
  const attempt = ["fetching", "checking", "preparing", "publishing", "reading-back"];
  assert.deepEqual(
    told.map(({ step, attempt: number }) => `${number} ${step}`),
    [
      ...[...attempt, "waiting"].map((step) => `1 ${step}`),
      ...[...attempt, "following-up", "done"].map((step) => `2 ${step}`),
    ],
  );
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(group.name, "first");
});

test("REV-09 an AbortSignal stops the join at any step, and nothing is left unless its commit has gone out", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  for (const stopAt of ["fetching", "checking", "preparing"]) {
    const joiner = await world.device(`stopped at ${stopAt}`);
    const log = await readLog(joiner, adminGroup.id);
    const stop = new AbortController();
    const onProgress = ({ step }: JoinProgress) => {
      if (step === stopAt) stop.abort();
    };
    const joining = joiner.client.conversations.joinByInvite(invite.url, { signal: stop.signal, onProgress });
    const error = await failsWith(joining, "JOIN_ABORTED");
    assert.equal(error.data["pending"], false);
    assert.deepEqual(traces(joiner), NO_TRACES);
    assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  }
});
