import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CLIENT_LIMITS, type Environment } from "@latchkey/client";
import { decodeExact, decodeKeyPackage, fromHex, LatchkeyError, MlsGroup, toHex, type KeyPackage } from "@latchkey/mls";
import { installationLeaf, welcomeKeyOf, welcomeMessages, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { WelcomeWrapperAlgorithm, type WelcomeMessageInput } from "@latchkey/xmtp/proto";
import { nodeCrypto } from "@latchkey/mls/node";
import { configOf, failsWith, World, epochOf, groupOf, traces, type Device, type Wrap } from "./support.ts";

const DAY_MS = 86_400_000;

/** Notes what a device sends, and can hold it back. */
function sending(environment: Environment, sent: WelcomeMessageInput[], hold: () => boolean): Environment {
  const { transport } = environment;
  const sendWelcomeMessages: typeof transport.sendWelcomeMessages = async (messages, signal) => {
    sent.push(...messages);
    if (!hold()) await transport.sendWelcomeMessages(messages, signal);
  };
  return { ...environment, transport: { ...transport, sendWelcomeMessages } };
}

function forms(sent: readonly WelcomeMessageInput[]): string[] {
  return sent.map(({ version }) => `${version.case} ${version.value?.wrapperAlgorithm}`);
}

const { XWING_MLKEM_768_DRAFT_6, SYMMETRIC_KEY } = WelcomeWrapperAlgorithm;
const DIRECT = `v1 ${XWING_MLKEM_768_DRAFT_6}`;
const STORED = `v1 ${SYMMETRIC_KEY}`;
const POINTER = `welcomePointer ${XWING_MLKEM_768_DRAFT_6}`;

async function keyPackageOf(device: Device): Promise<KeyPackage> {
  const { transport } = device.environment;
  const [bytes] = await transport.fetchKeyPackages([fromHex(device.client.installationId)]);
  assert.ok(bytes !== undefined);
  return decodeExact(bytes, decodeKeyPackage);
}

async function threeDevices(world: World): Promise<Device[]> {
  const first = await world.device("bob-1");
  return [first, await world.device("bob-2", first), await world.device("bob-3", first)];
}

test("two devices get their Welcomes directly, three by pointers to one; all for X-Wing, and all join", async (t) => {
  const world = await World.start(t);
  const sent: WelcomeMessageInput[] = [];
  const wrap: Wrap = (environment) => sending(environment, sent, () => false);
  const alice = await world.device("alice", { wrap });
  const carol = await world.device("carol");
  const carols = [carol, await world.device("carol-2", carol)];
  const group = await alice.client.conversations.createGroup([carol.client.inboxId]);
  assert.deepEqual(forms(sent), [DIRECT, DIRECT]);
  const bobs = await threeDevices(world);
  sent.length = 0;
  await group.addMembers([bobs[0]?.client.inboxId ?? ""]);
  assert.deepEqual(forms(sent), [STORED, POINTER, POINTER, POINTER]);
  for (const device of [...carols, ...bobs]) {
    await device.client.conversations.sync();
    assert.deepEqual(epochOf(groupOf(device, group.id)), epochOf(group));
    assert.deepEqual(device.environment.store.waitingWelcomes.list(), []);
  }
});

test("a pointer that arrives before its Welcome waits, through a restart, and then leads into the group", async (t) => {
  const world = await World.start(t);
  const sent: WelcomeMessageInput[] = [];
  const wrap: Wrap = (environment) => sending(environment, sent, () => true);
  const alice = await world.device("alice", { wrap });
  const [bob, ...others] = await threeDevices(world);
  assert.ok(bob !== undefined);
  const group = await alice.client.conversations.createGroup([bob.client.inboxId]);
  const [stored, ...pointers] = sent;
  assert.ok(stored !== undefined);
  await bob.environment.transport.sendWelcomeMessages(pointers);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  assert.equal(bob.environment.store.waitingWelcomes.list().length, 1);
  await world.restart(bob);
  // Somebody who saw the place in a request puts other things there.
  const destination = stored.version.value?.installationKey ?? new Uint8Array(0);
  const junk = await welcomeMessages(
    nodeCrypto.suite(XMTP_CIPHER_SUITE),
    { welcome: new Uint8Array(64), messageCursor: 1n },
    [await keyPackageOf(alice)],
  );
  for (const { version } of junk) if (version.value !== undefined) version.value.installationKey = destination;
  await bob.environment.transport.sendWelcomeMessages(junk);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  await bob.environment.transport.sendWelcomeMessages([stored]);
  assert.equal((await bob.client.conversations.sync()).length, 1);
  assert.deepEqual(epochOf(groupOf(bob, group.id)), epochOf(group));
  assert.deepEqual(bob.environment.store.waitingWelcomes.list(), []);
  for (const device of others) assert.equal((await device.client.conversations.sync()).length, 1);
});

test("a pointer that leads nowhere is forgotten after a day, and at most 64 are kept", async (t) => {
  const world = await World.start(t);
  const sent: WelcomeMessageInput[] = [];
  const wrap: Wrap = (environment) => sending(environment, sent, () => true);
  const alice = await world.device("alice", { wrap });
  const [bob] = await threeDevices(world);
  assert.ok(bob !== undefined);
  const keyPackage = await keyPackageOf(bob);
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const content = { welcome: new Uint8Array(64), messageCursor: 1n };
  for (let round = 0; round < 22; round++) {
    const [, ...pointers] = await welcomeMessages(suite, content, [keyPackage, keyPackage, keyPackage]);
    await bob.environment.transport.sendWelcomeMessages(pointers);
  }
  const before = traces(bob);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  const kept = bob.environment.store.waitingWelcomes.list();
  assert.equal(kept.length, 64);
  assert.equal(kept[0]?.id, 3n, "the oldest of 66 went first");
  bob.clock.forward(DAY_MS + 1);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  assert.deepEqual(bob.environment.store.waitingWelcomes.list(), []);
  assert.deepEqual(traces(bob), before);
  // The node takes no key packages from the future.
  bob.clock.forward(-DAY_MS - 1);
  // What was kept stands in nobody's way.
  const group = await alice.client.conversations.createGroup([bob.client.inboxId]);
  await bob.environment.transport.sendWelcomeMessages(sent);
  assert.equal((await bob.client.conversations.sync()).length, 1);
  assert.deepEqual(epochOf(groupOf(bob, group.id)), epochOf(group));
});

test("the X-Wing key of a key package is kept with it, replaced with it, and deleted with it", async (t) => {
  const world = await World.start(t);
  const { admin, member } = await world.group();
  const rows = () => member.environment.store.keyPackages.list();
  // Joining used one up: the old one stays for a day, the new one is on the node.
  assert.equal(rows().length, 2);
  const keys = rows().map(({ wrapperPrivateKey }) => Buffer.from(wrapperPrivateKey).toString("hex"));
  assert.equal(new Set(keys).size, 2);
  for (const key of keys) assert.equal(key.length, 64);
  const retired = rows().find(({ retiredAtNs }) => retiredAtNs !== undefined);
  assert.ok(retired?.retiredAtNs !== undefined);
  assert.notDeepEqual((await keyPackageOf(member)).initKey, retired.initKey);
  const longAgo = retired.retiredAtNs - 2n * BigInt(DAY_MS) * 1_000_000n;
  member.environment.store.transaction(({ keyPackages }) => keyPackages.put({ ...retired, retiredAtNs: longAgo }));
  await admin.client.conversations.createGroup([member.client.inboxId]);
  assert.equal((await member.client.conversations.sync()).length, 1);
  assert.equal(rows().length, 2);
  assert.ok(!rows().some(({ reference }) => Buffer.from(reference).equals(retired.reference)));
});

test("SEC-11 Welcomes that never end leave at most 256 key packages behind: those that were replaced longest ago go", async (t) => {
  const world = await World.start(t);
  const { admin, member } = await world.group();
  const rows = () => member.environment.store.keyPackages.list();
  const retired = rows().find(({ retiredAtNs }) => retiredAtNs !== undefined);
  assert.ok(retired?.retiredAtNs !== undefined);
  const { retiredAtNs } = retired;
  member.environment.store.transaction(({ keyPackages }) => {
    for (let index = 1; index <= 300; index++) {
      const reference = Uint8Array.of(1, index >> 8, index & 0xff);
      keyPackages.put({ ...retired, reference, retiredAtNs: retiredAtNs - BigInt(index) });
    }
  });
  await admin.client.conversations.createGroup([member.client.inboxId]);
  assert.equal((await member.client.conversations.sync()).length, 1);
  const kept = rows().flatMap((row) => row.retiredAtNs ?? []);
  assert.equal(kept.length, CLIENT_LIMITS.maxRetiredKeyPackages);
  assert.equal(rows().length, kept.length + 1);
  assert.ok(kept.every((time) => time > retiredAtNs - 256n));
});

/** Two devices; uploads of key packages by the second one end with `failure` while there is one. */
async function uploadsThatFail(t: TestContext) {
  const world = await World.start(t);
  const uploads: { failure: LatchkeyError | undefined } = { failure: undefined };
  const wrap: Wrap = (environment) => ({
    ...environment,
    transport: {
      ...environment.transport,
      uploadKeyPackage(...upload) {
        if (uploads.failure !== undefined) throw uploads.failure;
        return environment.transport.uploadKeyPackage(...upload);
      },
    },
  });
  return { alice: await world.device("alice"), bob: await world.device("bob", { wrap }), uploads };
}

test("SEC-11 Welcomes while the node takes no key packages leave one that waits, and it goes with the next upload", async (t) => {
  const { alice, bob, uploads } = await uploadsThatFail(t);
  const inUse = () => bob.environment.store.keyPackages.list().filter(({ retiredAtNs }) => retiredAtNs === undefined);
  uploads.failure = new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
  for (let round = 0; round < 4; round++) {
    await alice.client.conversations.createGroup([bob.client.inboxId]);
    await failsWith(bob.client.conversations.sync(), "NODE_UNREACHABLE");
    assert.equal(inUse().length, 2);
  }
  uploads.failure = undefined;
  await alice.client.conversations.createGroup([bob.client.inboxId]);
  assert.equal((await bob.client.conversations.sync()).length, 1);
  assert.equal(bob.client.conversations.list().length, 5);
  assert.deepEqual(
    inUse().map(({ uploaded }) => uploaded),
    [1n],
  );
});

test("a key package that the node refuses is forgotten, and the next Welcome brings a new one", async (t) => {
  const { alice, bob, uploads } = await uploadsThatFail(t);
  const inUse = () => bob.environment.store.keyPackages.list().filter(({ retiredAtNs }) => retiredAtNs === undefined);
  const before = inUse();
  uploads.failure = new LatchkeyError("NODE_REJECTED", "not valid yet (made up by a test)");
  await alice.client.conversations.createGroup([bob.client.inboxId]);
  await failsWith(bob.client.conversations.sync(), "NODE_REJECTED");
  assert.deepEqual(inUse(), before);
  assert.equal(bob.client.conversations.list().length, 1);
  uploads.failure = undefined;
  await alice.client.conversations.createGroup([bob.client.inboxId]);
  assert.equal((await bob.client.conversations.sync()).length, 1);
  assert.equal(inUse().length, 1);
  assert.notDeepEqual(inUse(), before);
});

test("a key package from before X-Wing was offered is replaced at the next start", async (t) => {
  const world = await World.start(t);
  const alice = await world.device("alice");
  const bob = await world.device("bob");
  const [row] = bob.environment.store.keyPackages.list();
  assert.ok(row !== undefined);
  // As the migration of an older database leaves it.
  const wrapperPrivateKey = new Uint8Array(0);
  bob.environment.store.transaction(({ keyPackages }) => keyPackages.put({ ...row, wrapperPrivateKey }));
  const before = await keyPackageOf(bob);
  await world.restart(bob);
  assert.notDeepEqual((await keyPackageOf(bob)).initKey, before.initKey);
  const rows = bob.environment.store.keyPackages.list();
  assert.deepEqual(rows.map((kept) => kept.wrapperPrivateKey.length).sort(), [0, 32]);
  const group = await alice.client.conversations.createGroup([bob.client.inboxId]);
  await bob.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(bob, group.id)), epochOf(group));
});

test("a Welcome for a key that no key package of this installation has is passed by", async (t) => {
  const world = await World.start(t);
  const alice = await world.device("alice");
  const bob = await world.device("bob");
  const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
  const strange = await welcomeMessages(suite, { welcome: new Uint8Array(64), messageCursor: 1n }, [
    await keyPackageOf(alice),
  ]);
  for (const { version } of strange) {
    if (version.value !== undefined) version.value.installationKey = fromHex(bob.client.installationId);
  }
  await alice.environment.transport.sendWelcomeMessages(strange);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  const group = await alice.client.conversations.createGroup([bob.client.inboxId]);
  await bob.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(bob, group.id)), epochOf(group));
  assert.notDeepEqual(welcomeKeyOf(await keyPackageOf(alice)), welcomeKeyOf(await keyPackageOf(bob)));
});

test("who was removed and added again while offline is in the group again with the next sync", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await adminGroup.removeMembers([member.client.inboxId]);
  await adminGroup.send("without member");
  await adminGroup.addMembers([member.client.inboxId]);
  await adminGroup.send("with member again");
  assert.equal((await member.client.conversations.sync()).length, 1);
  assert.equal(memberGroup.isActive, true);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  const texts = memberGroup.messages().map(({ text }) => text);
  assert.deepEqual(texts, ["with member again"]);
  await memberGroup.send("here");
  await admin.client.conversations.sync();
  assert.equal(adminGroup.messages().at(-1)?.text, "here");
});

test("a Welcome that could not leave is sent after its sender was removed and added again", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const bob = await world.device("bob");
  const { transport } = member.environment;
  const sendWelcomeMessages = transport.sendWelcomeMessages.bind(transport);
  transport.sendWelcomeMessages = () =>
    Promise.reject(new LatchkeyError("NODE_UNREACHABLE", "no way out (made up by a test)", { retryable: true }));
  await memberGroup.send("before");
  await memberGroup.addMembers([bob.client.inboxId]);
  await adminGroup.sync();
  await adminGroup.removeMembers([member.client.inboxId]);
  await adminGroup.addMembers([member.client.inboxId]);
  await member.client.conversations.sync();
  transport.sendWelcomeMessages = sendWelcomeMessages;
  await member.client.conversations.sync();
  await bob.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(bob, adminGroup.id)), epochOf(adminGroup));
  const histories = member.client.conversations.list();
  assert.equal(histories.length, 2, "the messages before the removal are in an entry of their own");
  assert.deepEqual(member.environment.store.followUps.list(), []);
});

/** The Welcome to a group without app data, as XMTP's library makes them before a migration. */
async function welcomeToLegacyGroup(from: Device, to: Device, groupId: Uint8Array): Promise<WelcomeMessageInput[]> {
  const group = await MlsGroup.create(configOf(from), {
    cipherSuite: XMTP_CIPHER_SUITE,
    groupId,
    extensions: [],
    leaf: installationLeaf(from.client.inboxId),
    lifetime: { notBefore: 0n, notAfter: 2n ** 40n },
  });
  const keyPackage = await keyPackageOf(to);
  const { welcome } = await group.createCommit({ proposals: [{ kind: "add", keyPackage }], references: [] });
  assert.ok(welcome !== undefined);
  return welcomeMessages(nodeCrypto.suite(XMTP_CIPHER_SUITE), { welcome, messageCursor: 0n }, [keyPackage]);
}

test("a group of the form before app data is not opened, and is told of; at most 64 are", async (t) => {
  const world = await World.start(t);
  const alice = await world.device("alice");
  const bob = await world.device("bob");
  const ids = Array.from({ length: 66 }, (_, index) => new Uint8Array(16).fill(index + 1));
  for (const groupId of ids) {
    await alice.environment.transport.sendWelcomeMessages(await welcomeToLegacyGroup(alice, bob, groupId));
  }
  // One whose id no node would take as a topic is none.
  const long = new Uint8Array(CLIENT_LIMITS.maxGroupIdBytes + 1);
  await alice.environment.transport.sendWelcomeMessages(await welcomeToLegacyGroup(alice, bob, long));
  const before = traces(bob);
  assert.deepEqual(await bob.client.conversations.sync(), []);
  assert.deepEqual(traces(bob), before);
  const told = bob.client.conversations.listUnsupported().map(({ id }) => id);
  assert.deepEqual(new Set(told), new Set(ids.slice(2).map(toHex)));
  await world.restart(bob);
  assert.equal(bob.client.conversations.listUnsupported().length, 64);
  const group = await alice.client.conversations.createGroup([bob.client.inboxId]);
  assert.deepEqual(
    (await bob.client.conversations.sync()).map(({ id }) => id),
    [group.id],
  );
});
