import assert from "node:assert/strict";
import { test } from "node:test";
import { failsWith, groupOf, NO_TRACES, textsOf, traces, World } from "./support.ts";

test("TRU-10 a forgotten group leaves nothing here and takes nothing, also after a restart", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  await adminGroup.send("spam");
  await memberGroup.sync();
  await memberGroup.forget();
  const { conversations } = member.client;
  assert.deepEqual([conversations.list(), conversations.get(adminGroup.id)], [[], undefined]);
  assert.deepEqual(traces(member), NO_TRACES);
  await adminGroup.send("more spam");
  await conversations.sync();
  // A view from before is of no use, and brings nothing back.
  await failsWith(memberGroup.send("hello?"), "NOT_A_MEMBER");
  await world.restart(member);
  await member.client.conversations.sync();
  assert.deepEqual(traces(member), NO_TRACES);
  await failsWith(memberGroup.send("hello?"), "CLIENT_CLOSED");
});

test("a forgotten group comes back by the Welcome of a commit behind the forgetting, or by an invite", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  await adminGroup.send("before");
  await memberGroup.sync();
  await memberGroup.forget();
  await adminGroup.removeMembers([member.client.inboxId]);
  await adminGroup.addMembers([member.client.inboxId]);
  assert.equal((await member.client.conversations.sync()).length, 1);
  await adminGroup.send("after");
  const again = groupOf(member, adminGroup.id);
  await again.sync();
  assert.deepEqual(textsOf(again), ["after"]);
  await again.forget();
  const invite = await adminGroup.createInvite();
  await failsWith(member.client.conversations.joinByInvite(invite.url), "ALREADY_MEMBER");
  await adminGroup.removeMembers([member.client.inboxId]);
  const { group } = await member.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await adminGroup.send("by invite");
  await group.sync();
  assert.deepEqual(textsOf(group), ["by invite"]);
});

test("a group of one can be forgotten, and forgetting sends the Welcomes that nobody else can", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const alone = await admin.client.conversations.createGroup([], { name: "notes" });
  await alone.send("note");
  await alone.forget();
  assert.deepEqual(
    admin.client.conversations.list().map(({ id }) => id),
    [adminGroup.id],
  );
  await failsWith(alone.send("another"), "NOT_A_MEMBER");
  const third = await world.device("third");
  const { transport } = admin.environment;
  const sendWelcomeMessages = transport.sendWelcomeMessages.bind(transport);
  transport.sendWelcomeMessages = () => Promise.reject(new Error("no way out (made up by a test)"));
  await adminGroup.addMembers([third.client.inboxId]);
  transport.sendWelcomeMessages = sendWelcomeMessages;
  await adminGroup.forget();
  await third.client.conversations.sync();
  await member.client.conversations.sync();
  assert.equal(groupOf(third, adminGroup.id).members().length, 3);
});
