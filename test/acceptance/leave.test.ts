import assert from "node:assert/strict";
import { test } from "node:test";
import { World, epochOf, failsWith, groupOf } from "./support.ts";

test("who asks to leave is taken out by a super admin's client, with all devices, and reads nothing further", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const third = await world.device("third");
  const tablet = await world.device("member-tablet", member);
  await adminGroup.addMembers([third.client.inboxId]);
  await adminGroup.updateInstallations();
  await third.client.conversations.sync();
  await tablet.client.conversations.sync();
  await memberGroup.leave();
  await memberGroup.leave();
  assert.equal(memberGroup.messages().filter(({ contentType }) => contentType.includes("leave_request")).length, 1);
  // Somebody who may not remove others leaves the request to those who may.
  const onThird = groupOf(third, adminGroup.id);
  await onThird.sync();
  assert.equal(onThird.members().length, 3);
  await adminGroup.sync();
  assert.equal(adminGroup.members().length, 2);
  await adminGroup.send("without member");
  for (const device of [member, tablet]) {
    const group = groupOf(device, adminGroup.id);
    await group.sync();
    assert.equal(group.isActive, false);
    assert.ok(!group.messages().some(({ text }) => text === "without member"));
  }
  await onThird.sync();
  assert.deepEqual(epochOf(onThird), epochOf(adminGroup));
  assert.deepEqual(admin.environment.store.leaveRequests.list(), []);
  assert.deepEqual(third.environment.store.leaveRequests.list(), []);
});

test("a request survives a restart of the super admin's client, and a removal that others did", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const second = await world.device("second");
  await adminGroup.addMembers([second.client.inboxId]);
  await adminGroup.promote(second.client.inboxId, "super_admin");
  await second.client.conversations.sync();
  await memberGroup.leave();
  // Both super admins read the request before either has acted: one of them finds nothing left to do.
  await Promise.all([adminGroup.sync(), groupOf(second, adminGroup.id).sync()]);
  await Promise.all([adminGroup.sync(), groupOf(second, adminGroup.id).sync()]);
  await world.restart(admin);
  const again = groupOf(admin, adminGroup.id);
  await again.sync();
  assert.equal(again.members().length, 2);
  assert.deepEqual(epochOf(again), epochOf(groupOf(second, adminGroup.id)));
  await memberGroup.sync();
  assert.equal(memberGroup.isActive, false);
  assert.deepEqual(member.environment.store.leaveRequests.list(), []);
});

test("who left and was added again stays: the old request is over", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const second = await world.device("second");
  await adminGroup.addMembers([second.client.inboxId]);
  await adminGroup.promote(second.client.inboxId, "super_admin");
  await second.client.conversations.sync();
  await memberGroup.leave();
  await adminGroup.sync();
  await adminGroup.addMembers([member.client.inboxId]);
  // The other super admin reads all of it at once: request, removal, and the new beginning.
  const onSecond = groupOf(second, adminGroup.id);
  await onSecond.sync();
  await onSecond.sync();
  assert.equal(onSecond.members().length, 3);
  await member.client.conversations.sync();
  assert.equal(groupOf(member, adminGroup.id).isActive, true);
  await groupOf(member, adminGroup.id).send("back again");
  await adminGroup.sync();
  assert.equal(adminGroup.messages().at(-1)?.text, "back again");
  assert.deepEqual(admin.environment.store.leaveRequests.list(), []);
});

test("a super admin cannot leave: NOT_PERMITTED, and nothing is sent", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  await failsWith(adminGroup.leave(), "NOT_PERMITTED");
  assert.deepEqual(adminGroup.messages(), []);
  await memberGroup.sync();
  assert.equal(memberGroup.members().length, 2);
});
