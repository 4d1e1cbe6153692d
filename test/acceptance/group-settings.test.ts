import assert from "node:assert/strict";
import { test } from "node:test";
import { PERMISSION_POLICIES, REGULATED_ACTIONS, type Group, type PermissionPolicy } from "@latchkey/client";
import { World, epochOf, failsWith, groupOf, mlsOf, textsOf, type Device } from "./support.ts";

/** An admin's and a member's view of a group that both have read to the end. */
async function synced(adminGroup: Group, memberGroup: Group): Promise<void> {
  await memberGroup.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  assert.deepEqual(memberGroup.rejections(), []);
  assert.deepEqual(adminGroup.rejections(), []);
}

test("texts of a group: description, image address, application data; all members see them", async (t) => {
  const { adminGroup, memberGroup } = await (await World.start(t)).group();
  await adminGroup.updateDescription("Wednesdays");
  await adminGroup.updateImageUrl("https://example.org/a.png");
  await adminGroup.updateAppData('{"theme":"dark"}');
  await synced(adminGroup, memberGroup);
  for (const { description, imageUrl, appData } of [adminGroup, memberGroup]) {
    assert.deepEqual(
      { description, imageUrl, appData },
      { description: "Wednesdays", imageUrl: "https://example.org/a.png", appData: '{"theme":"dark"}' },
    );
  }
  await adminGroup.updateDescription("");
  assert.equal(adminGroup.description, undefined);
});

test("a text that is too long is refused before anything happens; the longest is taken", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const { epoch } = adminGroup;
  const tooLong = [
    () => adminGroup.updateName("ä".repeat(51)),
    () => adminGroup.updateDescription("d".repeat(1_001)),
    () => adminGroup.updateImageUrl("u".repeat(2_049)),
    () => adminGroup.updateAppData("a".repeat(8_193)),
    () => admin.client.conversations.createGroup([], { name: "n".repeat(101) }),
  ];
  for (const act of tooLong) await failsWith(act(), "NOT_PERMITTED");
  assert.equal(adminGroup.epoch, epoch);
  assert.equal(admin.client.conversations.list().length, 1);
  await adminGroup.updateName("ä".repeat(50));
  await adminGroup.updateAppData("a".repeat(8_192));
  assert.equal(adminGroup.epoch, epoch + 2n);
});

test("disappearing messages: set, seen by all, taken back; times that are none are refused", async (t) => {
  const { adminGroup, memberGroup } = await (await World.start(t)).group();
  assert.equal(adminGroup.messageDisappearingSettings, undefined);
  const settings = { fromNs: 1_700_000_000_000_000_000n, inNs: 3_600_000_000_000n };
  await adminGroup.updateMessageDisappearingSettings(settings);
  await synced(adminGroup, memberGroup);
  assert.deepEqual(memberGroup.messageDisappearingSettings, settings);
  for (const bad of [
    { ...settings, inNs: 0n },
    { ...settings, fromNs: -1n },
    { ...settings, inNs: 1n << 63n },
  ]) {
    await failsWith(adminGroup.updateMessageDisappearingSettings(bad), "ARGUMENT_INVALID");
  }
  await adminGroup.updateMessageDisappearingSettings(undefined);
  await synced(adminGroup, memberGroup);
  assert.equal(memberGroup.messageDisappearingSettings, undefined);
});

test("a message that is to disappear is gone when its time has come, at its sender and its reader, from disk too", async (t) => {
  const { admin, member, adminGroup, memberGroup } = await (await World.start(t)).group();
  await adminGroup.send("stays");
  await adminGroup.updateMessageDisappearingSettings({ fromNs: 1n, inNs: 60_000_000_000n });
  await adminGroup.send("goes");
  await memberGroup.sync();
  await memberGroup.send("goes too");
  await adminGroup.sync();
  for (const group of [adminGroup, memberGroup]) assert.deepEqual(textsOf(group), ["stays", "goes", "goes too"]);
  admin.clock.forward(59_000);
  assert.equal(adminGroup.messages().length, 3);
  admin.clock.forward(2_000);
  assert.deepEqual(textsOf(adminGroup), ["stays"]);
  assert.equal(admin.environment.store.messages.list().length, 1);
  assert.deepEqual(admin.environment.store.expiries.list(), []);
  // At a reader that only syncs as well.
  member.clock.forward(61_000);
  await memberGroup.sync();
  assert.equal(member.environment.store.messages.list().length, 1);
  await adminGroup.updateMessageDisappearingSettings(undefined);
  await adminGroup.send("stays again");
  admin.clock.forward(600_000);
  assert.deepEqual(textsOf(adminGroup), ["stays", "stays again"]);
});

test("messages from before the time from which on they disappear stay", async (t) => {
  const { admin, adminGroup } = await (await World.start(t)).group();
  const hourNs = 3_600_000_000_000n;
  await adminGroup.updateMessageDisappearingSettings({ fromNs: admin.clock.nowNs() + hourNs, inNs: 1n });
  await adminGroup.send("before");
  admin.clock.forward(7_200_000);
  assert.deepEqual(textsOf(adminGroup), ["before"]);
});

/** Every permission with an act that needs it; the acts change the group back and forth. */
function acts(group: Group, third: Device): Record<string, () => Promise<unknown>> {
  const id = third.client.inboxId;
  return {
    addMember: () => group.addMembers([id]),
    removeMember: () => group.removeMembers([id]),
    addAdmin: () => group.promote(id, "admin"),
    removeAdmin: () => group.demote(id, "admin"),
    updateName: () => group.updateName(`name ${group.epoch}`),
    updateDescription: () => group.updateDescription(`description ${group.epoch}`),
    updateImageUrl: () => group.updateImageUrl(`https://example.org/${group.epoch}`),
    updateAppData: () => group.updateAppData(`data ${group.epoch}`),
    updateDisappearingMessages: () => group.updateMessageDisappearingSettings({ fromNs: 1n, inNs: group.epoch + 1n }),
  };
}

test("each permission: who may not is told so, who is allowed to can, and only what was named changes", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const third = await world.device("third");
  const undo: Record<string, () => Promise<unknown>> = {
    addMember: () => adminGroup.removeMembers([third.client.inboxId]),
    addAdmin: () => adminGroup.demote(third.client.inboxId, "admin"),
  };
  await adminGroup.promote(member.client.inboxId, "admin");
  for (const action of REGULATED_ACTIONS) {
    if (action === "removeMember" || action === "addAdmin") await adminGroup.addMembers([third.client.inboxId]);
    if (action === "removeAdmin") await adminGroup.promote(third.client.inboxId, "admin");
    const before = adminGroup.permissions;
    await adminGroup.updatePermission(action, "super_admin");
    assert.deepEqual(adminGroup.permissions, { ...before, [action]: "super_admin" });
    await synced(adminGroup, memberGroup);
    await failsWith(acts(memberGroup, third)[action]?.() ?? Promise.resolve(), "NOT_PERMITTED");
    await adminGroup.updatePermission(action, "admin");
    await synced(adminGroup, memberGroup);
    await acts(memberGroup, third)[action]?.();
    await synced(adminGroup, memberGroup);
    assert.deepEqual(memberGroup.permissions, { ...before, [action]: "admin" });
    await undo[action]?.();
  }
  assert.equal(groupOf(admin, adminGroup.id).isActive, true);
});

test("a permission that is set already costs no commit; one that all would refuse is not sent", async (t) => {
  const { adminGroup, memberGroup } = await (await World.start(t)).group();
  const { epoch } = adminGroup;
  const now = adminGroup.permissions;
  for (const action of REGULATED_ACTIONS) {
    const policy = now[action];
    if (policy !== "other") await adminGroup.updatePermission(action, policy);
  }
  const open: PermissionPolicy[] = PERMISSION_POLICIES.filter((policy) => policy === "allow" || policy === "deny");
  for (const action of ["addAdmin", "removeAdmin"] as const) {
    for (const policy of open) await failsWith(adminGroup.updatePermission(action, policy), "NOT_PERMITTED");
  }
  assert.equal(adminGroup.epoch, epoch);
  await failsWith(memberGroup.updatePermission("addMember", "admin"), "NOT_PERMITTED");
  await adminGroup.updatePermission("addMember", "deny");
  await synced(adminGroup, memberGroup);
  assert.equal(memberGroup.permissions.addMember, "deny");
});

test("rotateKeys gives this device fresh keys, in one commit that all follow", async (t) => {
  const { member, adminGroup, memberGroup } = await (await World.start(t)).group();
  const keys = () => mlsOf(member, memberGroup.id).leaf(mlsOf(member, memberGroup.id).ownLeafIndex)?.encryptionKey;
  const before = { key: keys(), epoch: memberGroup.epoch };
  await memberGroup.rotateKeys();
  assert.equal(memberGroup.epoch, before.epoch + 1n);
  assert.notDeepEqual(keys(), before.key);
  await synced(adminGroup, memberGroup);
  await adminGroup.send("hello");
  await memberGroup.sync();
  assert.equal(memberGroup.messages().at(-1)?.text, "hello");
});
