import assert from "node:assert/strict";
import { test } from "node:test";
import { createExternalCommit, decodeRows, LatchkeyError, MlsGroup, toHex, verifyGroupInfo } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { decodeInvitePayload, encodeGroupInfoHints, installationLeaf } from "@latchkey/xmtp";
import { brokenBlob, presentBlob, slotOf } from "./blobs.ts";
import { publishGarbage, type Garbage } from "./garbage.ts";
import {
  configOf,
  epochOf,
  failsWith,
  groupOf,
  mlsOf,
  NO_TRACES,
  publishRaw,
  openSlot,
  readCommits,
  traces,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

const MINUTE_MS = 60_000;

/** Does something right before each commit leaves. */
function before(act: () => Promise<unknown>): Wrap {
  return (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      await act();
      return transport.sendGroupMessages(messages, signal);
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };
}

/** A member that tells nobody what it has read: it uploads nothing and writes no receipts. */
const silent: Wrap = (environment) => {
  const { slots } = environment;
  return { ...environment, joinReceipts: false, slots: { ...slots, upload: async () => undefined } };
};

/** A joiner with two devices whose commit came in behind one that members refuse, while nobody was online. */
async function contested(world: World, kind: Garbage) {
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const troll = await world.device("troll");
  const litter = () => publishGarbage(troll, invite.payload, world.node.url, kind);
  const joiner = await world.device("joiner", { wrap: before(litter) });
  const tablet = await world.device("tablet", { signer: joiner.signer });
  const error = await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
  assert.equal(error.retryable, true);
  assertOpen(joiner);
  return { admin, member, adminGroup, memberGroup, invite, troll, joiner, tablet };
}

/** The troll makes up a state that follows from another one, with itself in it, signs it and puts it into the slot. */
async function makeUp(
  troll: Device,
  groupInfo: Uint8Array,
  { member, payload, url }: { member: Device; payload: Uint8Array; url: string },
): Promise<void> {
  const info = await verifyGroupInfo({ crypto: nodeCrypto }, groupInfo);
  const { group } = await createExternalCommit(configOf(troll), info, {
    leaf: installationLeaf(troll.client.inboxId),
    adds: [],
    appDataUpdates: [],
    appData: new Map(),
  });
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const blob = await presentBlob(member, toHex(group.groupId), {
    key,
    groupInfo: await group.exportGroupInfo(),
    epoch: group.epoch,
    groupStateHash: nodeCrypto.suite(group.cipherSuite).hash(group.contextBytes),
  });
  await troll.environment.slots.upload(slotOf(payload, url), blob);
}

/** A member puts its present state into the slot and says to have read the log up to an id, true or not. */
async function claimRead(
  member: Device,
  { id, payload, url }: { id: string; payload: Uint8Array; url: string },
  logCursor: bigint,
): Promise<void> {
  const { symmetricKey: key } = decodeInvitePayload(payload);
  const groupInfo = await mlsOf(member, id).exportGroupInfo({ extensions: encodeGroupInfoHints({ logCursor }) });
  await member.environment.slots.upload(slotOf(payload, url), await presentBlob(member, id, { key, groupInfo }));
}

/** Nothing but the journal knows of the join, and what became of it is not known. */
function assertOpen(joiner: Device): void {
  const pending = joiner.client.conversations.listPendingJoins();
  assert.deepEqual(
    pending.map(({ state }) => state),
    ["CONTESTED"],
  );
  assert.deepEqual(traces(joiner), { ...NO_TRACES, joins: 1 });
}

for (const kind of ["public", "private"] as const) {
  test(`REV-04 a join that came in behind a refused commit (${kind}) has won, and is done once a member's state shows it`, async (t) => {
    const world = await World.start(t);
    const { member, adminGroup, invite, joiner, tablet } = await contested(world, kind);
    const sent = (await readCommits(joiner, adminGroup.id)).length;
    await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
    await world.restart(joiner);
    await failsWith(joiner.client.conversations.joinByInvite(invite.url), "INVITE_STALE");
    await joiner.client.conversations.sync();
    assertOpen(joiner);

    await member.client.conversations.sync();
    const { group } = await joiner.client.conversations.joinByInvite(invite.url);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    assert.equal((await readCommits(joiner, adminGroup.id)).length, sent);
    await tablet.client.conversations.sync();
    assert.deepEqual(epochOf(groupOf(tablet, group.id)), epochOf(adminGroup));
    await group.send("in, with both devices");
    await adminGroup.sync();
    assert.equal(adminGroup.messages().at(-1)?.text, "in, with both devices");
  });
}

test("REV-04 a contested join is done by a mere synchronization as well, also when the group has gone on", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup, joiner } = await contested(world, "private");
  await adminGroup.sync();
  await adminGroup.updateName("the group goes on");
  await memberGroup.sync();
  const joined = await joiner.client.conversations.sync();
  assert.deepEqual(joined.map(epochOf), [epochOf(adminGroup)]);
  assert.equal(groupOf(joiner, adminGroup.id).name, "the group goes on");
});

test("SEC-03 a contested join that has lost leaves nothing, and the next one is made from the state that shows it", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  let isFirst = true;
  const joiner = await world.device("joiner", {
    wrap: before(async () => {
      if (isFirst) await memberGroup.updateName("came first");
      isFirst = false;
    }),
  });
  const stop = new AbortController();
  const onProgress = ({ step }: { step: string }) => step === "waiting" && stop.abort();
  const { conversations } = joiner.client;
  await failsWith(conversations.joinByInvite(invite.url, { signal: stop.signal, onProgress }), "JOIN_ABORTED");
  assertOpen(joiner);
  await conversations.sync();
  assert.deepEqual(traces(joiner), NO_TRACES);
  const { group } = await conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("SEC-12 a contested join is not taken for done by the word of somebody whom the joiner did not find in the group", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, invite, troll, joiner } = await contested(world, "public");
  const [join] = joiner.environment.store.joins.list();
  assert.ok(join !== undefined);
  // The troll makes up a state that follows from the join, which the log shows to everybody, and signs it itself.
  const rows = [...decodeRows(join.rows)].flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  const draft = MlsGroup.load(configOf(joiner), rows);
  await makeUp(troll, await draft.exportGroupInfo(), { member, payload: invite.payload, url: world.node.url });
  await joiner.client.conversations.sync();
  assertOpen(joiner);

  await member.client.conversations.sync();
  joiner.clock.forward(MINUTE_MS);
  await joiner.client.conversations.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(groupOf(joiner, adminGroup.id)), epochOf(adminGroup));
});

test("SEC-03 a contested join that members refused as well has lost once one of them says that it has read it", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, memberGroup, invite, joiner } = await contested(world, "private");
  const [join] = joiner.environment.store.joins.list();
  const own = (await readCommits(joiner, adminGroup.id)).at(-1);
  assert.ok(join !== undefined && own !== undefined && own.id === join.commitId);
  // Nothing makes members refuse what an honest joiner sends at will: this one says so and has read nothing.
  const told = async (logCursor: bigint) => {
    await claimRead(member, { id: adminGroup.id, payload: invite.payload, url: world.node.url }, logCursor);
    joiner.clock.forward(MINUTE_MS);
    await joiner.client.conversations.sync();
    return joiner.client.conversations.listPendingJoins().length;
  };
  assert.equal(await told(join.logCursor), 1, "as far as the joiner had read itself");
  assert.equal(await told(own.id), 0, "read and refused");
  assert.deepEqual(traces(joiner), NO_TRACES);
  assert.equal(memberGroup.epoch, join.epoch);
});

test("SEC-12 a member that claims to have read further than the log goes says nothing about a contested join", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, invite, joiner } = await contested(world, "private");
  await claimRead(member, { id: adminGroup.id, payload: invite.payload, url: world.node.url }, 1n << 62n);
  await joiner.client.conversations.sync();
  assertOpen(joiner);
});

test("SEC-12 a member that says an earlier epoch is open does not get a second commit out of a contested join", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, memberGroup } = await world.group();
  const { url, payload } = await adminGroup.createInvite();
  await memberGroup.sync();
  // The member stays behind.
  await adminGroup.updateName("a new epoch");
  const troll = await world.device("troll");
  const joiner = await world.device("joiner", {
    wrap: before(() => publishGarbage(troll, payload, world.node.url, "private")),
  });
  const { conversations } = joiner.client;
  await failsWith(conversations.joinByInvite(url), "INVITE_STALE");
  const [join] = joiner.environment.store.joins.list();
  assert.ok(join !== undefined && join.epoch > memberGroup.epoch);
  const log = await readCommits(joiner, adminGroup.id);
  await claimRead(member, { id: adminGroup.id, payload, url: world.node.url }, log.at(-1)?.id ?? 0n);
  const steps = new Set<string>();
  await failsWith(conversations.joinByInvite(url, { onProgress: ({ step }) => steps.add(step) }), "INVITE_STALE");
  assert.equal(steps.has("preparing"), false);
  assert.deepEqual(await readCommits(joiner, adminGroup.id), log);
  assert.deepEqual(joiner.environment.store.joins.list(), [join]);

  await adminGroup.sync();
  const { group } = await conversations.joinByInvite(url);
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("REV-04 a contested join that members have accepted waits until the node shows its commit", async (t) => {
  const world = await World.start(t);
  const { adminGroup, joiner } = await contested(world, "private");
  const [join] = joiner.environment.store.joins.list();
  assert.ok(join !== undefined);
  await adminGroup.sync();
  let lags = true;
  await world.restart(joiner, (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
      const page = await transport.queryGroupMessages(position, signal);
      return lags ? { ...page, items: page.items.filter(({ id }) => id < (join.commitId ?? 0n)) } : page;
    };
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  });
  const { conversations } = joiner.client;
  joiner.clock.forward(MINUTE_MS);
  assert.deepEqual(await conversations.sync(), []);
  assertOpen(joiner);
  assert.deepEqual(joiner.environment.store.joins.list(), [join]);
  lags = false;
  joiner.clock.forward(MINUTE_MS);
  const joined = await conversations.sync();
  await adminGroup.sync();
  assert.deepEqual(joined.map(epochOf), [epochOf(adminGroup)]);
});

test("REV-04 a join that never left, and that a refused commit came before, is sent once a member says that the epoch is open", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const troll = await world.device("troll");
  let isDown = true;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        if (!isDown) return transport.sendGroupMessages(messages, signal);
        isDown = false;
        await publishGarbage(troll, invite.payload, world.node.url, "private");
        throw new LatchkeyError("NODE_UNREACHABLE", "cut off (made up by a test)", { retryable: true });
      };
      return { ...environment, transport: { ...transport, sendGroupMessages } };
    },
  });
  const { conversations } = joiner.client;
  const sent = (await readCommits(joiner, adminGroup.id)).length + 1;
  await failsWith(conversations.joinByInvite(invite.url), "INVITE_STALE");
  assertOpen(joiner);
  assert.equal((await readCommits(joiner, adminGroup.id)).length, sent);

  await member.client.conversations.sync();
  const { group } = await conversations.joinByInvite(invite.url);
  assert.equal((await readCommits(joiner, adminGroup.id)).length, sent + 1);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});

test("REV-04 a contested join has won when a member says that all before it was refused, though nobody is online any more", async (t) => {
  const world = await World.start(t);
  const { adminGroup, member, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const troll = await world.device("troll");
  const joiner = await world.device("joiner", {
    wrap: before(async () => {
      await publishGarbage(troll, invite.payload, world.node.url, "private");
      await member.client.conversations.sync();
    }),
  });
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  const next = await world.device("next");
  await next.client.conversations.joinByInvite(invite.url);
  await group.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(adminGroup.members().length, 4);
});

test("SEC-12 the slot of a join that waits is looked at ever more rarely, whatever its service does to synchronizations", async (t) => {
  const world = await World.start(t);
  const { joiner } = await contested(world, "private");
  let looks = 0;
  await world.restart(joiner, (environment) => {
    const { slots } = environment;
    const fetch: typeof slots.fetch = async (...args) => (looks++, slots.fetch(...args));
    return { ...environment, slots: { ...slots, fetch } };
  });
  assert.equal(looks, 0, "a program starts without asking");
  const counts: number[] = [];
  for (let hour = 0; hour < 3; hour++) {
    for (let second = 0; second < 3_600; second += 30) {
      joiner.clock.forward(30_000);
      await joiner.client.conversations.sync();
    }
    counts.push(looks);
  }
  assertOpen(joiner);
  const [first = 0, second = 0, third = 0] = counts;
  assert.ok(first >= 12 && first <= 18, `${first} looks in the first hour`);
  assert.ok(third - second <= 12, `${third - second} looks in the third hour`);
});

test("REV-04 a contested join whose invite is revoked has won by a member's message in its epoch, and is done by it", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, joiner } = await contested(world, "private");
  // Nothing is uploaded any more that could tell.
  const { slots } = admin.environment;
  await world.restart(admin, (environment) => ({ ...environment, slots: { ...slots, upload: async () => undefined } }));
  const group = groupOf(admin, adminGroup.id);
  await group.sync();
  await group.revokeInvite();
  await joiner.client.conversations.sync();
  const joined = groupOf(joiner, group.id);
  assert.deepEqual(epochOf(joined), epochOf(group));
  assert.equal(joined.status, "confirmed");
});

test("REV-04 a lone proposal of a member settles no contested join, a state of one that has read it does", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, troll, joiner } = await contested(world, "public");
  await world.restart(admin, silent);
  const group = groupOf(admin, adminGroup.id);
  await group.sync();
  const { message } = await mlsOf(admin, group.id).createUpdate();
  await publishRaw(troll, message);
  await joiner.client.conversations.sync();
  assertOpen(joiner);
  await member.client.conversations.sync();
  joiner.clock.forward(MINUTE_MS);
  await joiner.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(joiner, group.id)), epochOf(group));
});

test("REV-04 junk in the epoch of a contested join, and a message of the epoch before, are no member's word; a commit is", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, troll, joiner } = await contested(world, "public");
  await world.restart(admin, silent);
  const group = groupOf(admin, adminGroup.id);
  await group.sync();
  const text = new Uint8Array(8);
  const late = await mlsOf(member, group.id).encryptApplication(text);
  const junk = await mlsOf(admin, group.id).encryptApplication(text);
  junk.message.set([(junk.message.at(-1) ?? 0) ^ 1], junk.message.length - 1);
  for (const { message } of [late, junk]) await publishRaw(troll, message);
  await joiner.client.conversations.sync();
  assertOpen(joiner);
  await group.revokeInvite();
  await joiner.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(joiner, group.id)), epochOf(group));
});

test("SEC-12 a made-up later state does not drop a draft in whose epoch a member has spoken", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const { url, payload } = await adminGroup.createInvite();
  await memberGroup.sync();
  const { slots } = admin.environment;
  await world.restart(admin, (environment) => ({ ...environment, slots: { ...slots, upload: async () => undefined } }));
  const troll = await world.device("troll");
  let looks = 0;
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const parts = before(() => publishGarbage(troll, payload, world.node.url, "private"))(environment);
      const fetch: typeof slots.fetch = async (...args) => {
        if (++looks === 2) {
          await groupOf(admin, adminGroup.id).send("welcome");
          const groupInfo = await openSlot(troll, payload, world.node.url);
          await makeUp(troll, groupInfo, { member, payload, url: world.node.url });
        }
        return parts.slots.fetch(...args);
      };
      return { ...parts, slots: { ...parts.slots, fetch } };
    },
  });
  const { group } = await joiner.client.conversations.joinByInvite(url);
  assert.equal(looks, 2);
  assert.deepEqual(epochOf(group), epochOf(groupOf(admin, adminGroup.id)));
  assert.equal(group.messages().at(-1)?.text, "welcome");
});

test("REV-04 a contested join stays open while its slot cannot be asked, and passes by a state that does not verify", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, invite, joiner } = await contested(world, "public");
  // Without a word of a member the slot alone can tell.
  await world.restart(admin, (parts) => ({ ...parts, joinReceipts: false }));
  const group = groupOf(admin, adminGroup.id);
  await group.sync();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  const blob = await brokenBlob(admin, adminGroup.id, key);
  await admin.environment.slots.upload(slotOf(invite.payload, world.node.url), blob);
  let down = true;
  await world.restart(joiner, (environment) => {
    const { slots } = environment;
    const fetch: typeof slots.fetch = async (slot, options) => {
      if (down) throw new LatchkeyError("NODE_UNREACHABLE", "no answer (made up by a test)", { retryable: true });
      return slots.fetch(slot, options);
    };
    return { ...environment, slots: { ...slots, fetch } };
  });
  joiner.clock.forward(60_000);
  assert.deepEqual(await joiner.client.conversations.sync(), []);
  assertOpen(joiner);
  down = false;
  joiner.clock.forward(60_000);
  assert.deepEqual((await joiner.client.conversations.sync()).map(epochOf), [epochOf(group)]);
});
