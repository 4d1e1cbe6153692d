import assert from "node:assert/strict";
import { test } from "node:test";
import { createKeyPackage, EXTENSION_TYPE, LatchkeyError } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import {
  groupStateHash,
  installationCapabilities,
  installationLeaf,
  revokeInstallationUpdate,
  XMTP_CIPHER_SUITE,
} from "@latchkey/xmtp";
import {
  configOf,
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  readLog,
  textsOf,
  traces,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

const cut = () => new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });

/** Lets publishing fail while `state.offline`, before or after the node has taken the message. */
function flaky(state: { offline: boolean; lost: "request" | "answer" }): Wrap {
  return (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      if (!state.offline || state.lost === "answer") await transport.sendGroupMessages(messages, signal);
      if (state.offline) throw cut();
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };
}

test("a group: created with all devices of everybody, named, renamed, grown and shrunk; all agree", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const adminTablet = await world.device("admin-tablet", { signer: admin.signer });
  const member = await world.device("member");
  const memberTablet = await world.device("member-tablet", { signer: member.signer });
  const guest = await world.device("guest");

  const group = await admin.client.conversations.createGroup([member.client.inboxId], { name: "First name" });
  await group.updateName("Second name");
  await group.addMembers([guest.client.inboxId, member.client.inboxId]);
  const devices = [admin, adminTablet, member, memberTablet, guest];
  for (const device of devices) await device.client.conversations.sync();
  for (const device of devices) {
    const view = groupOf(device, group.id);
    assert.deepEqual(epochOf(view), epochOf(group));
    assert.equal(view.name, "Second name");
    assert.equal(view.installationCount, 5);
    assert.deepEqual(view.rejections(), []);
  }
  assert.equal(group.members().find(({ inboxId }) => inboxId === admin.client.inboxId)?.permission, "super_admin");

  await group.removeMembers([guest.client.inboxId]);
  for (const device of devices) await device.client.conversations.sync();
  assert.equal(groupOf(guest, group.id).isActive, false);
  await failsWith(groupOf(guest, group.id).send("still there?"), "NOT_A_MEMBER");
  assert.deepEqual(epochOf(groupOf(memberTablet, group.id)), epochOf(group));
  assert.equal(group.members().length, 2);
});

test("a group that cannot be created as asked for is not created at all", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const { conversations } = admin.client;
  await failsWith(conversations.createGroup(["f".repeat(64)]), "INBOX_UNKNOWN");
  await failsWith(conversations.createGroup(["not an inbox id"]), "ARGUMENT_INVALID");
  assert.deepEqual(conversations.list(), []);
  assert.equal(traces(admin)["groupRows"], 0);
});

test("who may not is told NOT_PERMITTED before anything is published", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const log = await readLog(admin, adminGroup.id);
  await failsWith(memberGroup.createInvite(), "NOT_PERMITTED");
  await failsWith(memberGroup.promote(member.client.inboxId, "super_admin"), "NOT_PERMITTED");
  await failsWith(memberGroup.removeMembers([admin.client.inboxId]), "NOT_PERMITTED");
  await failsWith(memberGroup.removeMembers([member.client.inboxId]), "NOT_PERMITTED");
  assert.deepEqual(await readLog(admin, adminGroup.id), log);

  await adminGroup.promote(member.client.inboxId, "super_admin");
  await memberGroup.sync();
  const invite = await memberGroup.createInvite();
  assert.equal(memberGroup.invite?.url, invite.url);
});

test("SEC-03 two members commit to the same epoch: the first wins, the other rebuilds its change on top", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  let meanwhile: Promise<unknown> | undefined;
  const slow = await world.device("slow", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        meanwhile ??= adminGroup.updateName("by the admin");
        await meanwhile;
        await transport.sendGroupMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  await adminGroup.addMembers([slow.client.inboxId]);
  await slow.client.conversations.sync();
  const slowGroup = groupOf(slow, adminGroup.id);

  await slowGroup.updateDescription("by the slow one");

  await adminGroup.sync();
  assert.deepEqual(epochOf(slowGroup), epochOf(adminGroup));
  assert.deepEqual([adminGroup.name, adminGroup.description], ["by the admin", "by the slow one"]);
  assert.equal(traces(slow)["pendingCommits"], 0);
  assert.equal(traces(admin)["pendingCommits"], 0);
});

for (const lost of ["request", "answer"] as const) {
  test(`SEC-09 the ${lost} of a commit is lost and the program ends: the next start settles it by the log`, async (t) => {
    const world = await World.start(t);
    const state = { offline: false, lost };
    const admin = await world.device("admin", { wrap: flaky(state) });
    const member = await world.device("member");
    const group = await admin.client.conversations.createGroup([member.client.inboxId]);
    await member.client.conversations.sync();
    const joiner = await world.device("joiner");
    state.offline = true;

    await failsWith(group.addMembers([joiner.client.inboxId]), "NODE_UNREACHABLE");
    assert.equal(group.members().length, 2);
    assert.equal(traces(admin)["pendingCommits"], 1);
    // Messages of the old epoch go on while the commit waits to be read back.
    await groupOf(member, group.id).send("in the meantime");
    await world.restart(admin, flaky(state));
    state.offline = false;
    await admin.client.conversations.sync();

    for (const device of [member, joiner]) await device.client.conversations.sync();
    const view = groupOf(admin, group.id);
    assert.equal(view.members().length, 3);
    for (const device of [member, joiner]) assert.deepEqual(epochOf(groupOf(device, group.id)), epochOf(view));
    await groupOf(joiner, group.id).send("hello");
    await view.sync();
    assert.deepEqual(textsOf(view).slice(-1), ["hello"]);
    assert.equal(textsOf(view).includes("in the meantime"), true);
  });

  test(`SEC-09 the ${lost} of a message is lost: it is sent once, whenever the network is back`, async (t) => {
    const world = await World.start(t);
    const state = { offline: false, lost };
    const admin = await world.device("admin", { wrap: flaky(state) });
    const member = await world.device("member");
    const group = await admin.client.conversations.createGroup([member.client.inboxId]);
    await member.client.conversations.sync();
    state.offline = true;

    await failsWith(group.send("only once"), "NODE_UNREACHABLE");
    await world.restart(admin, flaky(state));
    state.offline = false;
    await admin.client.conversations.sync();
    await groupOf(admin, group.id).send("and then this");

    const memberGroup = groupOf(member, group.id);
    await memberGroup.sync();
    assert.deepEqual(textsOf(memberGroup), ["only once", "and then this"]);
    assert.deepEqual(textsOf(groupOf(admin, group.id)), ["only once", "and then this"]);
    assert.deepEqual(memberGroup.rejections(), []);
  });
}

test("SEC-09 without any network a message is queued, and leaves for those who are members then", async (t) => {
  const world = await World.start(t);
  const state = { down: false };
  const unreachable: Wrap = (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = (position, signal) =>
      state.down ? Promise.reject(cut()) : transport.queryGroupMessages(position, signal);
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  };
  const admin = await world.device("admin");
  const member = await world.device("member", { wrap: unreachable });
  const guest = await world.device("guest");
  const group = await admin.client.conversations.createGroup([member.client.inboxId, guest.client.inboxId]);
  for (const device of [member, guest]) await device.client.conversations.sync();
  const memberGroup = groupOf(member, group.id);
  state.down = true;
  await failsWith(memberGroup.send("for members only"), "NODE_UNREACHABLE");
  await group.removeMembers([guest.client.inboxId]);
  state.down = false;
  await memberGroup.sync();
  for (const view of [group, groupOf(guest, group.id)]) await view.sync();
  assert.deepEqual(textsOf(group), ["for members only"]);
  assert.deepEqual(textsOf(memberGroup), ["for members only"]);
  const sent = (await readLog(admin, group.id)).at(-1);
  assert.ok(sent !== undefined);
  assert.equal((await mlsOf(guest, group.id).verify(sent.data)).kind, "future", "the guest has no key for it");
});

test("a message that waited for four epochs is encrypted anew and read by all", async (t) => {
  const world = await World.start(t);
  const state = { offline: false, lost: "request" as const };
  const admin = await world.device("admin");
  const member = await world.device("member", { wrap: flaky(state) });
  const group = await admin.client.conversations.createGroup([member.client.inboxId]);
  await member.client.conversations.sync();
  const memberGroup = groupOf(member, group.id);
  state.offline = true;
  await failsWith(memberGroup.send("late but legible"), "NODE_UNREACHABLE");
  for (const name of ["a", "b", "c", "d", "e"]) await group.updateName(name);
  state.offline = false;
  await memberGroup.sync();
  await group.sync();
  assert.deepEqual(textsOf(group), ["late but legible"]);
});

test("a stream shows what was missed and what comes, in order, and ends with its signal", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  await adminGroup.send("before the stream");
  await memberGroup.sync();
  await adminGroup.send("missed");
  const stopping = new AbortController();
  const seen: (string | undefined)[] = [];
  const reading = (async () => {
    for await (const { text } of memberGroup.stream({ signal: stopping.signal })) {
      seen.push(text);
      if (text === "missed") await adminGroup.send("live");
      if (text === "live") await memberGroup.send("from the reader itself");
      if (text === "from the reader itself") stopping.abort();
    }
  })();
  await reading;
  assert.deepEqual(seen, ["missed", "live", "from the reader itself"]);
});

test("a stream shows what a synchronization has read while its connection was down", async (t) => {
  const world = await World.start(t);
  const broken = Promise.withResolvers<undefined>();
  let connections = 0;
  const member = await world.device("member", {
    wrap: (environment) => {
      const { transport } = environment;
      const subscribeGroupMessages: typeof transport.subscribeGroupMessages = (position, signal) =>
        connections++ === 0 ? failing() : transport.subscribeGroupMessages(position, signal);
      return { ...environment, transport: { ...transport, subscribeGroupMessages } };
    },
  });
  async function* failing(): AsyncGenerator<never, void, void> {
    await broken.promise;
    throw cut();
  }
  const admin = await world.device("admin");
  const group = await admin.client.conversations.createGroup([member.client.inboxId]);
  await member.client.conversations.sync();
  const memberGroup = groupOf(member, group.id);

  const stopping = new AbortController();
  const messages = memberGroup.stream({ signal: stopping.signal });
  const next = messages.next();
  await group.send("while the line was down");
  await memberGroup.sync();
  broken.resolve(undefined);
  assert.equal((await next).value?.text, "while the line was down");
  await group.send("afterwards");
  assert.equal((await messages.next()).value?.text, "afterwards");
  assert.equal(connections, 2);
  stopping.abort();
});

test("a stream takes part in everything: commits arrive, and closing the client ends it", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const messages = memberGroup.stream();
  await adminGroup.updateName("renamed under way");
  await adminGroup.send("after the rename");
  const { value } = await messages.next();
  assert.equal(value?.text, "after the rename");
  assert.equal(memberGroup.name, "renamed under way");
  const next = messages.next();
  member.client.close();
  await assert.rejects(next, { code: "CLIENT_CLOSED" });
});

test("a closed client answers CLIENT_CLOSED", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  admin.client.close();
  await failsWith(adminGroup.sync(), "CLIENT_CLOSED");
  await failsWith(adminGroup.send("x"), "CLIENT_CLOSED");
  await failsWith(admin.client.conversations.sync(), "CLIENT_CLOSED");
});

test("a device registered later is added, a revoked one removed, by updateInstallations", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const tablet = await world.device("tablet", { signer: member.signer });
  await adminGroup.updateInstallations();
  await tablet.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(tablet, adminGroup.id)), epochOf(adminGroup));
  const { epoch } = adminGroup;
  await adminGroup.updateInstallations();
  assert.equal(adminGroup.epoch, epoch);

  const { inboxId } = member.client;
  const { installationId } = tablet.client;
  const timestampNs = member.clock.nowNs();
  const revocation = await revokeInstallationUpdate({ wallet: member.signer, inboxId, installationId, timestampNs });
  await member.environment.transport.publishIdentityUpdate(revocation);
  await adminGroup.updateInstallations();
  await failsWith(groupOf(tablet, adminGroup.id).sync(), "IDENTITY_REVOKED");
  await memberGroup.sync();
  assert.equal(memberGroup.installationCount, 2);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
});

test("opening again finds everything as it was; another wallet is refused", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  await adminGroup.send("kept");
  const before = { ...epochOf(adminGroup), inbox: admin.client.inboxId, device: admin.client.installationId };
  await world.restart(admin);
  const group = groupOf(admin, adminGroup.id);
  const after = { ...epochOf(group), inbox: admin.client.inboxId, device: admin.client.installationId };
  assert.deepEqual(after, before);
  assert.deepEqual(textsOf(group), ["kept"]);
  const log = await admin.environment.transport.getIdentityUpdates([
    { inboxId: admin.client.inboxId, afterSequenceId: 0n },
  ]);
  assert.equal(log[0]?.length, 1);

  const stranger: Device = { ...admin, signer: member.signer };
  await failsWith(world.restart(stranger), "IDENTITY_MISMATCH");
  await world.restart(admin);
});

test("X82-23 a rename puts the new epoch into the slot at once: the next scanner joins with the same link", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  await memberGroup.updateName("renamed by a member");
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(group.name, "renamed by a member");
});

test("X82-24 who is slower finds the blob of its epoch in the slot and uploads nothing", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  let uploads = 0;
  const member = await world.device("member", {
    wrap: (environment) => {
      const upload: typeof environment.slots.upload = (slot, blob, signal) => {
        uploads++;
        return environment.slots.upload(slot, blob, signal);
      };
      return { ...environment, slots: { ...environment.slots, upload } };
    },
  });
  const group = await admin.client.conversations.createGroup([member.client.inboxId]);
  const invite = await group.createInvite();
  await member.client.conversations.sync();
  const memberGroup = groupOf(member, group.id);
  await memberGroup.refreshInvite();
  assert.equal(uploads, 0);
  const digest = groupStateHash(nodeCrypto.suite(XMTP_CIPHER_SUITE), mlsOf(admin, group.id).contextBytes);
  const slot = { serviceUrl: world.node.url, externalGroupId: Buffer.from(invite.externalGroupId, "hex") };
  assert.equal(await admin.environment.slots.exists(slot, group.epoch, digest), true);
  assert.equal(await admin.environment.slots.exists(slot, group.epoch + 1n, digest), false);
});

test("X82-04 a blob from epoch N while the group is at N+1: no trace; with a refreshed blob the same link works", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  let offline = false;
  const member = await world.device("member", {
    wrap: (environment) => {
      const upload: typeof environment.slots.upload = (slot, blob, signal) =>
        offline ? Promise.reject(cut()) : environment.slots.upload(slot, blob, signal);
      return { ...environment, slots: { ...environment.slots, upload } };
    },
  });
  const adminGroup = await admin.client.conversations.createGroup([member.client.inboxId]);
  const invite = await adminGroup.createInvite();
  await member.client.conversations.sync();
  const memberGroup = groupOf(member, adminGroup.id);
  offline = true;
  await memberGroup.updateName("nobody refreshes");
  const joiner = await world.device("joiner");

  const error = await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
  assert.equal(error.retryable, true);
  assert.deepEqual(joiner.client.conversations.list(), []);

  offline = false;
  await memberGroup.sync();
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  assert.equal(group.name, "nobody refreshes");
});

test("a member that was removed comes back by the invite and reads on", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await adminGroup.send("while still in");
  await memberGroup.sync();
  await adminGroup.removeMembers([member.client.inboxId]);
  await memberGroup.sync();
  assert.equal(memberGroup.isActive, false);

  const { group } = await member.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(memberGroup.isActive, true);
  await adminGroup.send("welcome back");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["while still in", "welcome back"]);
});

test("X82-11 an invite for one: the second is told INVITE_EXHAUSTED; after the first was removed it works again", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite({ maxUses: 1 });
  const first = await world.device("first");
  const second = await world.device("second");
  await first.client.conversations.joinByInvite(invite.url);
  await failsWith(second.client.conversations.joinByInvite(invite.url), "INVITE_EXHAUSTED");
  await adminGroup.sync();
  await adminGroup.removeMembers([first.client.inboxId]);
  const { group } = await second.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("an invite that a member's program could not follow is refused unless forced", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const old = await world.device("old");
  // As XMTP's released clients: a key package that does not say that external commits are followed.
  const capabilities = {
    ...installationCapabilities,
    extensions: [0x000a, 0x0001, 0xf000, 0x0006, 0xff00, 0xff01, 0xff02],
  };
  const leaf = { ...installationLeaf(old.client.inboxId), capabilities };
  const nowSeconds = old.clock.nowNs() / 1_000_000_000n;
  const { bytes } = await createKeyPackage(configOf(old), {
    cipherSuite: XMTP_CIPHER_SUITE,
    leaf,
    lifetime: { notBefore: nowSeconds - 3_600n, notAfter: nowSeconds + 86_400n },
    extensions: [{ type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) }],
  });
  await old.environment.transport.uploadKeyPackage(bytes);
  const group = await admin.client.conversations.createGroup([old.client.inboxId]);
  assert.deepEqual(
    group
      .members()
      .map(({ inboxId, followsInvites }) => [inboxId === old.client.inboxId, followsInvites])
      .sort(),
    [
      [false, true],
      [true, false],
    ],
  );
  const epoch = group.epoch;
  const refused = await failsWith(group.createInvite(), "INVITE_LEAVES_BEHIND");
  assert.deepEqual(refused.data["inboxes"], [old.client.inboxId.slice(0, 8)]);
  assert.equal(group.epoch, epoch);
  const forced = await group.createInvite({ force: true });
  assert.deepEqual(forced.behind, [old.client.inboxId]);
});

test("the low-level pair: payload and blob carried by the application, without an invite service", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  await adminGroup.createInvite();
  const { payload, blob } = await adminGroup.createExternalInvite();
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.joinGroupByExternalInvite(payload, blob);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  const later = await world.device("later");
  await failsWith(later.client.joinGroupByExternalInvite(payload, [blob]), "INVITE_STALE");
});
