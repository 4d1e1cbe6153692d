import assert from "node:assert/strict";
import { test } from "node:test";
import { epochOf, failsWith, groupOf, World, type Device } from "./support.ts";

const idOf = ({ client }: Device) => client.inboxId;

test("TRU-14 a removal takes the role along, and whoever comes back by the link is a plain member", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const third = await world.device("third");
  await adminGroup.addMembers([idOf(third)]);
  const invite = await adminGroup.createInvite();
  const roleOf = (device: Device) =>
    adminGroup.members().find(({ inboxId }) => inboxId === idOf(device))?.permission ?? "none";

  await adminGroup.promote(idOf(member), "admin");
  await adminGroup.removeMembers([idOf(member)]);
  assert.deepEqual(adminGroup.absentRoles(), []);
  await groupOf(member, adminGroup.id).sync();
  const { group } = await member.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.equal(roleOf(member), "member");
  await failsWith(group.removeMembers([idOf(third)]), "NOT_PERMITTED");

  // A super admin loses the role in a commit of its own, and is removed by the next one.
  await adminGroup.promote(idOf(third), "super_admin");
  await adminGroup.promote(idOf(third), "admin");
  const { epoch } = adminGroup;
  const { removed } = await adminGroup.removeMembers([idOf(third)]);
  assert.deepEqual([removed, adminGroup.epoch, adminGroup.absentRoles()], [[idOf(third)], epoch + 2n, []]);
  await group.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  // Oneself stays, and nobody has lost a role for it.
  await adminGroup.promote(idOf(member), "super_admin");
  await failsWith(adminGroup.removeMembers([idOf(member), idOf(admin)]), "NOT_PERMITTED");
  assert.equal(roleOf(member), "super_admin");
});

test("TRU-14 an admin who removes an admin leaves the list, which a super admin's next commit cleans", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup, memberGroup } = await world.group();
  const third = await world.device("third");
  await adminGroup.addMembers([idOf(third)]);
  for (const device of [member, third]) await adminGroup.promote(idOf(device), "admin");
  await adminGroup.updatePermission("removeMember", "admin");
  await memberGroup.sync();

  await memberGroup.removeMembers([idOf(third)]);
  assert.deepEqual(memberGroup.absentRoles(), [{ inboxId: idOf(third), permission: "admin" }]);
  // Back before anybody cleaned the list: the role is there again, as for XMTP's clients.
  await memberGroup.addMembers([idOf(third)]);
  assert.equal(memberGroup.members().find(({ inboxId }) => inboxId === idOf(third))?.permission, "admin");
  await memberGroup.removeMembers([idOf(third)]);
  await adminGroup.updateName("Writing circle");
  await memberGroup.sync();
  assert.deepEqual(memberGroup.absentRoles(), []);
  await memberGroup.addMembers([idOf(third)]);
  assert.equal(memberGroup.members().find(({ inboxId }) => inboxId === idOf(third))?.permission, "member");
  await adminGroup.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
});

test("TRU-14 the last super admin, strangers and nonsense: refused before anything is sent", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stranger = await world.device("stranger");
  const before = epochOf(adminGroup);
  await failsWith(adminGroup.demote(idOf(admin), "super_admin"), "NOT_PERMITTED");
  await failsWith(adminGroup.leave(), "NOT_PERMITTED");
  await failsWith(adminGroup.promote(idOf(stranger), "super_admin"), "NOT_PERMITTED");
  await failsWith(adminGroup.promote("not an inbox id", "admin"), "ARGUMENT_INVALID");
  await failsWith(adminGroup.demote(idOf(member).toUpperCase(), "admin"), "ARGUMENT_INVALID");
  await failsWith(adminGroup.promote(idOf(member), "owner" as "admin"), "ARGUMENT_INVALID");
  await failsWith(memberGroup.removeMembers([idOf(admin)]), "NOT_PERMITTED");
  await adminGroup.sync();
  assert.deepEqual(epochOf(adminGroup), before);

  // With a second one the role can be handed over.
  await adminGroup.promote(idOf(member), "super_admin");
  await adminGroup.demote(idOf(admin), "super_admin");
  await memberGroup.sync();
  await failsWith(memberGroup.demote(idOf(member), "super_admin"), "NOT_PERMITTED");
});
