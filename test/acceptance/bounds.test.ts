import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CLIENT_LIMITS, ERRORS } from "@latchkey/client";
import { encodeMlsMessage, fromHex, type LatchkeyError, type LeafIndex } from "@latchkey/mls";
import { sealPrivateMessage } from "@latchkey/mls/internals";
import { nodeCrypto } from "@latchkey/mls/node";
import { decodeInvitePayload, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { loadState, currentEpoch } from "../../packages/mls/src/group/state.ts";
import { signContent } from "../../packages/mls/src/group/protect.ts";
import { presentBlob } from "./blobs.ts";
import { allRefuseEach, rawExternalCommit } from "./forge.ts";
import {
  configOf,
  epochOf,
  failsWith,
  mlsOf,
  NO_TRACES,
  openSlot,
  publishRaw,
  traces,
  World,
  type Device,
} from "./support.ts";

/** A member's message whose sender data names any leaf and any generation, sealed with keys that fit one message only. */
async function messageAs(device: Device, groupId: string, leafIndex: number, generation: number): Promise<Uint8Array> {
  const rows = device.environment.store.groupRows.list(fromHex(groupId));
  const state = loadState(
    configOf(device),
    rows.map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]),
  );
  const epoch = currentEpoch(state);
  const { key } = epoch.secretTree.next(state.head.ownLeafIndex, "application");
  const content = { kind: "application", data: new Uint8Array(8) } as const;
  const signed = await signContent(state, "private_message", content, new Uint8Array(0));
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  // A branded index cannot be this large, which is the point.
  const leaf = leafIndex as LeafIndex;
  const message = sealPrivateMessage(suite, signed, leaf, generation, key, epoch.senderDataSecret, 0);
  return encodeMlsMessage({ wireFormat: "private_message", message });
}

const EXTREMES = [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

test("SEC-05 leaf indices and generations near 2^31 and 2^32 are refused at once by every member", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const messages = [];
  for (const extreme of EXTREMES) {
    const { ownLeafIndex } = mlsOf(member, adminGroup.id);
    messages.push([await messageAs(member, adminGroup.id, extreme, 0), { code: "DECODE" }] as const);
    const generation = { code: "MLS_INVALID", rule: "generation" };
    messages.push([await messageAs(member, adminGroup.id, ownLeafIndex, extreme), generation] as const);
  }
  await allRefuseEach([admin], adminGroup.id, messages);
});

/** The bytes with a length of 2^30 - 1, the largest that RFC 9420 can express, in place of every eighth four bytes. */
function withHugeLengths(bytes: Uint8Array, from: number): Uint8Array[] {
  const altered: Uint8Array[] = [];
  for (let at = from; at + 4 < bytes.length; at += 8) {
    const copy = bytes.slice();
    copy.set([0xbf, 0xff, 0xff, 0xff], at);
    altered.push(copy);
  }
  return altered;
}

/** Version, wire format, group id with its length, epoch: what a node reads to sort a message. */
const HEADER_BYTES = 4 + 1 + 16 + 8;

test("SEC-05 lengths of 2^30 anywhere in a commit: the node or every member refuses it, and nothing is changed", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const commit = await rawExternalCommit(joiner, await openSlot(joiner, invite.payload, world.node.url));
  const before = epochOf(adminGroup);
  let taken = 0;
  for (const message of withHugeLengths(commit, HEADER_BYTES)) {
    await publishRaw(joiner, message).then(
      () => taken++,
      (error: unknown) => assert.equal((error as LatchkeyError).code, "NODE_REJECTED"),
    );
  }
  await adminGroup.sync();
  assert.ok(taken > 20, `${taken} messages taken`);
  assert.deepEqual(epochOf(adminGroup), before);
  const refused = adminGroup.rejections();
  assert.equal(refused.length, Math.min(taken, CLIENT_LIMITS.maxRejections));
  for (const { code } of refused)
    assert.ok(["DECODE", "MLS_INVALID", "CRYPTO", "COMMIT_REJECTED"].includes(code), code);
  // A stranger cannot tell these from commits that count: the door opens again with the next epoch.
  await adminGroup.updateName("next epoch");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("SEC-05 lengths of 2^30 anywhere in a group state behind an invite: no candidate, nothing written", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const { payload } = await adminGroup.createInvite();
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const groupInfo = await mlsOf(admin, adminGroup.id).exportGroupInfo();
  const joiner = await world.device("joiner");
  const reasons = new Set<unknown>();
  for (const altered of withHugeLengths(groupInfo, 4).slice(0, 96)) {
    const blob = await presentBlob(admin, adminGroup.id, { key, groupInfo: altered });
    const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, blob), "INVITE_NO_CANDIDATE");
    for (const reason of error.data["reasons"] as { code: string }[]) reasons.add(reason.code);
  }
  assert.ok(reasons.has("DECODE"));
  assert.deepEqual(traces(joiner), NO_TRACES);
});

test("REV-10 every error code that a join says it ends with is what a test sees a join end with, on real parts", () => {
  const texts = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(`${import.meta.dirname}/${name}`, "utf8"));
  const source = readFileSync(new URL("../../packages/client/src/join/join.ts", import.meta.url), "utf8");
  const said = /@throws ([^.]*)\./.exec(source)?.[1]?.match(/[A-Z]+(_[A-Z]+)+/g) ?? [];
  assert.ok(said.length > 18, said.join());
  assert.deepEqual(
    said.filter((code) => !(code in ERRORS)),
    [],
  );
  const seen = (code: string) => {
    const ends = new RegExp(`join(ByInvite|GroupByExternalInvite|ing)\\b[^;]*?"${code}"`);
    return texts.some((text) => ends.test(text));
  };
  assert.deepEqual(
    [...said, "STORE_FULL"].filter((code) => !seen(code)),
    [],
  );
});

test("REV-10 with blobs of the application's own a competing commit is the end: JOIN_LOST, and nothing is left but what tells whether it lost", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload, blob } = await adminGroup.createExternalInvite();
  await memberGroup.sync();
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        if (memberGroup.name !== "came first") await memberGroup.updateName("came first");
        return transport.sendGroupMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  const error = await failsWith(joiner.client.joinGroupByExternalInvite(payload, blob), "JOIN_LOST");
  assert.equal(error.retryable, true);
  assert.deepEqual(traces(joiner), { ...NO_TRACES, joins: 1 });
  const newer = await memberGroup.createExternalInvite();
  const { group } = await joiner.client.joinGroupByExternalInvite(newer.payload, newer.blob);
  await memberGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(memberGroup));
});

test("SEC-11 joins that never end leave at most 10 000 rows to tell of them: the oldest quarter goes when there are more", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const groupId = fromHex(adminGroup.id);
  const { store } = member.environment;
  const admissions = () => store.admissions.list(groupId).map(({ id }) => id);
  const join = async (name: string) => {
    const joiner = await world.device(name);
    await joiner.client.conversations.joinByInvite(invite.url);
    await memberGroup.sync();
  };
  await join("first");
  const [row] = store.admissions.list(groupId);
  assert.ok(row !== undefined);
  store.transaction((tables) => {
    for (let id = 2n; id < CLIENT_LIMITS.maxAdmissions; id++) tables.admissions.put({ ...row, id: -id });
  });
  await join("second");
  assert.equal(admissions().length, CLIENT_LIMITS.maxAdmissions, "as many as may be are left alone");
  await join("third");
  assert.equal(admissions().length, CLIENT_LIMITS.maxAdmissions * 0.75);
  assert.deepEqual(
    admissions().slice(-3),
    memberGroup.joins().map(({ sequenceId }) => sequenceId),
  );
});
