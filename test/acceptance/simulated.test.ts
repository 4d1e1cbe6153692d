import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import { epochOf, failsWith, groupOf, textsOf, World, type Wrap } from "./support.ts";

// What the simulator (`npm run sim`) has found, each as a story of its own.

test("a message that five commits overtake on its way is said again: what its sender is told is sent, all read", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  let overtake = async () => {};
  const slow: Wrap = (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      await overtake();
      await transport.sendGroupMessages(messages, signal);
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };
  const member = await world.device("member", { wrap: slow });
  const group = await admin.client.conversations.createGroup([member.client.inboxId]);
  await member.client.conversations.sync();
  overtake = async () => {
    overtake = async () => {};
    for (const name of ["a", "b", "c", "d", "e"]) await group.updateName(name);
  };
  const { text } = await groupOf(member, group.id).send("slow but sure");
  await group.sync();
  assert.equal(text, "slow but sure");
  assert.deepEqual(textsOf(group), ["slow but sure"]);
  assert.deepEqual(textsOf(groupOf(member, group.id)), ["slow but sure"]);
});

test("REV-02 a device that slept through a removal and a return finds both Welcomes, and is in by the second", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const guest = await world.device("guest");
  await adminGroup.addMembers([guest.client.inboxId]);
  await adminGroup.removeMembers([guest.client.inboxId]);
  await adminGroup.addMembers([guest.client.inboxId]);

  await guest.client.conversations.sync();
  await adminGroup.send("welcome back");
  await guest.client.conversations.sync();

  const view = groupOf(guest, adminGroup.id);
  assert.equal(view.isActive, true);
  assert.deepEqual(epochOf(view), epochOf(adminGroup));
  assert.deepEqual(textsOf(view), ["welcome back"]);
});

test("a Welcome that could not be sent outlives the removal and the return of its sender", async (t) => {
  const world = await World.start(t);
  const state = { offline: true };
  const admin = await world.device("admin");
  const member = await world.device("member", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendWelcomeMessages: typeof transport.sendWelcomeMessages = async (messages, signal) => {
        if (state.offline) throw new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true });
        await transport.sendWelcomeMessages(messages, signal);
      };
      return { ...environment, transport: { ...transport, sendWelcomeMessages } };
    },
  });
  const guest = await world.device("guest");
  const group = await admin.client.conversations.createGroup([member.client.inboxId]);
  await member.client.conversations.sync();
  await groupOf(member, group.id).addMembers([guest.client.inboxId]);
  await group.removeMembers([member.client.inboxId]);
  await member.client.conversations.sync();
  await group.addMembers([member.client.inboxId]);
  await member.client.conversations.sync();
  state.offline = false;
  await member.client.conversations.sync();
  await guest.client.conversations.sync();
  for (const device of [member, guest]) assert.deepEqual(epochOf(groupOf(device, group.id)), epochOf(group));
});

test("a join left open does not take the place of a later membership by Welcome", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const state = { cut: false };
  const joiner = await world.device("joiner", {
    wrap: (environment) => {
      const { transport } = environment;
      const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
        await transport.sendGroupMessages(messages, signal);
        state.cut = true;
      };
      const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
        if (state.cut) throw new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true });
        return transport.queryGroupMessages(position, signal);
      };
      return { ...environment, transport: { ...transport, sendGroupMessages, queryGroupMessages } };
    },
  });
  await failsWith(joiner.client.conversations.joinByInvite(invite.url), "NODE_UNREACHABLE");
  await adminGroup.sync();
  await adminGroup.removeMembers([joiner.client.inboxId]);
  await adminGroup.addMembers([joiner.client.inboxId]);
  state.cut = false;

  await joiner.client.conversations.sync();
  await joiner.client.conversations.sync();

  const view = groupOf(joiner, adminGroup.id);
  assert.equal(view.isActive, true);
  assert.deepEqual(epochOf(view), epochOf(adminGroup));
  assert.deepEqual(joiner.client.conversations.listPendingJoins(), []);
});
