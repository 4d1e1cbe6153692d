import assert from "node:assert/strict";
import { test } from "node:test";
import type { Page, Position } from "@latchkey/client";
import { rawExternalCommit } from "./forge.ts";
import { movableWorld, revoke } from "./movable-world.ts";
import { epochOf, groupOf, openSlot, publishRaw, textsOf, World, type Wrap } from "./support.ts";

/** Ids that a node may make up: the largest that the store can hold, and one that looks like the next. */
const FALSE_IDS = [2n ** 63n - 1n, 1_000n] as const;

/** Lets the newest entry of one answer have a false id and, where it is given, a false time; after that the node is honest. */
function lyingOnce(method: "queryGroupMessages" | "queryWelcomeMessages", lie: { id?: bigint; createdNs?: bigint }) {
  const state = { armed: false };
  const lying =
    <T extends { readonly id: bigint }>(query: (position: Position, signal?: AbortSignal) => Promise<Page<T>>) =>
    async (position: Position, signal?: AbortSignal): Promise<Page<T>> => {
      const page = await query(position, signal);
      if (!state.armed || page.items.length === 0) return page;
      state.armed = false;
      const last = page.items.length - 1;
      return { ...page, items: page.items.map((item, index) => (index === last ? { ...item, ...lie } : item)) };
    };
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const changed =
      method === "queryGroupMessages"
        ? { queryGroupMessages: lying((at, stop) => transport.queryGroupMessages(at, stop)) }
        : { queryWelcomeMessages: lying((at, stop) => transport.queryWelcomeMessages(at, stop)) };
    return { ...environment, transport: { ...transport, ...changed } };
  };
  return { state, wrap };
}

for (const id of FALSE_IDS) {
  test(`TRU-05 one false id of a node (${id}) closes no group for good: what it made us skip is read`, async (t) => {
    const world = await World.start(t);
    const { adminGroup } = await world.group();
    const { state, wrap } = lyingOnce("queryGroupMessages", { id });
    const reader = await world.device("reader", { wrap });
    await adminGroup.addMembers([reader.client.inboxId]);
    await reader.client.conversations.sync();
    const group = groupOf(reader, adminGroup.id);
    await adminGroup.send("one");
    await group.sync();
    await adminGroup.send("two");
    await adminGroup.updateName("Named");
    state.armed = true;
    await group.sync();
    await adminGroup.send("three");
    await group.sync();
    await adminGroup.send("four");
    await world.restart(reader);
    const again = groupOf(reader, adminGroup.id);
    await again.sync();
    assert.deepEqual([...textsOf(again)].sort(), ["four", "one", "three", "two"]);
    assert.deepEqual(epochOf(again), epochOf(adminGroup));
    await again.send("five");
    await adminGroup.sync();
    assert.equal(textsOf(adminGroup).at(-1), "five");
  });

  test(`TRU-05 one false id of a node (${id}) hides no later Welcome`, async (t) => {
    const world = await World.start(t);
    const { admin, adminGroup } = await world.group();
    const { state, wrap } = lyingOnce("queryWelcomeMessages", { id });
    const reader = await world.device("reader", { wrap });
    await adminGroup.addMembers([reader.client.inboxId]);
    state.armed = true;
    await reader.client.conversations.sync();
    const first = groupOf(reader, adminGroup.id);
    const second = await admin.client.conversations.createGroup([reader.client.inboxId], { name: "Second" });
    await reader.client.conversations.sync();
    assert.deepEqual(epochOf(groupOf(reader, second.id)), epochOf(second));
    await adminGroup.send("hello");
    await first.sync();
    assert.deepEqual(textsOf(first), ["hello"]);
    assert.equal(reader.client.conversations.list().length, 2);
  });

  test(`TRU-05 one false id of an identity log (${id}) hides no later update`, async (t) => {
    const world = await World.start(t);
    const { adminGroup } = await world.group();
    let armed = false;
    const reader = await world.device("reader", {
      wrap: (environment) => {
        const { transport } = environment;
        const getIdentityUpdates: typeof transport.getIdentityUpdates = async (...args) => {
          const answer = await transport.getIdentityUpdates(...args);
          if (!armed) return answer;
          armed = false;
          const lie = answer.map((log) =>
            log.map((entry, index) => (index === log.length - 1 ? { ...entry, sequenceId: id } : entry)),
          );
          return Object.assign(lie, { asOfNs: answer.asOfNs });
        };
        return { ...environment, transport: { ...transport, getIdentityUpdates } };
      },
    });
    await adminGroup.addMembers([reader.client.inboxId]);
    await reader.client.conversations.sync();
    const group = groupOf(reader, adminGroup.id);
    const invite = await adminGroup.createInvite();
    await group.sync();
    const joiner = await world.device("joiner");
    await joiner.client.conversations.joinByInvite(invite.url);
    armed = true;
    await group.sync();
    await group.sync();
    assert.deepEqual(group.rejections(), []);
    const laptop = await world.device("joiner's laptop", { signer: joiner.signer });
    await group.updateInstallations();
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    const member = group.members().find(({ inboxId }) => inboxId === joiner.client.inboxId);
    assert.ok(member?.installations.includes(laptop.client.installationId));
  });

  test(`TRU-05 one false id of a node (${id}) while a join looks at the log lets it in all the same`, async (t) => {
    const world = await World.start(t);
    const { adminGroup } = await world.group();
    const invite = await adminGroup.createInvite();
    const { state, wrap } = lyingOnce("queryGroupMessages", { id });
    const joiner = await world.device("joiner", { wrap });
    state.armed = true;
    const { group } = await joiner.client.conversations.joinByInvite(invite.url);
    assert.equal(state.armed, false);
    await adminGroup.sync();
    await adminGroup.send("welcome");
    await group.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    assert.deepEqual(textsOf(group), ["welcome"]);
  });
}

test("TRU-05 one false time of a node lasts no longer than its epoch", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const { state, wrap } = lyingOnce("queryGroupMessages", { createdNs: 2n ** 63n - 1n });
  const reader = await world.device("reader", { wrap });
  await adminGroup.addMembers([reader.client.inboxId]);
  await reader.client.conversations.sync();
  const group = groupOf(reader, adminGroup.id);
  await adminGroup.updateName("One");
  state.armed = true;
  await group.sync();
  await adminGroup.updateName("Two");
  await group.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  const [record] = reader.environment.store.groups.list();
  assert.ok(record !== undefined && record.epochEnteredAtNs < 2n ** 62n);
});

test("TRU-05 one false time of an answer about an identity log lets no revoked device in later", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, adminGroup } = await world.group();
  let armed = false;
  const reader = await world.device("reader", {
    wrap: (environment) => {
      const { transport } = environment;
      const getIdentityUpdates: typeof transport.getIdentityUpdates = async (...args) => {
        const answer = await transport.getIdentityUpdates(...args);
        if (!armed) return answer;
        armed = false;
        return Object.assign([...answer], { asOfNs: 2n ** 62n });
      };
      return { ...environment, transport: { ...transport, getIdentityUpdates } };
    },
  });
  await adminGroup.addMembers([reader.client.inboxId]);
  await reader.client.conversations.sync();
  const invite = await adminGroup.createInvite();
  const stolen = await world.device("stolen");
  const owner = await world.device("owner", { signer: stolen.signer });
  const other = await reader.client.conversations.createGroup([], { name: "Other" });
  armed = true;
  await other.addMembers([owner.client.inboxId]);
  assert.equal(armed, false);
  await revoke(owner, stolen);
  pass(121);
  for (const { clock } of [admin, reader]) clock.forward(121_000);
  const info = await openSlot(stolen, invite.payload, world.node.url);
  const [log = []] = await owner.environment.transport.getIdentityUpdates([
    { inboxId: owner.client.inboxId, afterSequenceId: 0n },
  ]);
  const sequenceId = log[1]?.sequenceId ?? 0n;
  const failedInstallations = [owner.client.installationId];
  await publishRaw(stolen, await rawExternalCommit(stolen, info, { sequenceId, failedInstallations }));
  const group = groupOf(reader, adminGroup.id);
  for (const each of [adminGroup, group]) {
    await each.sync();
    assert.deepEqual(
      each.rejections().map(({ rule }) => rule),
      ["ExternalCommitInstallationRevoked"],
    );
  }
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
});
