import assert from "node:assert/strict";
import { test } from "node:test";
import { ledAstray } from "./led-astray.ts";
import { restoredAfter } from "./restored.ts";
import { Line, states } from "./sending.ts";
import { strangersGroup } from "./strangers-group.ts";
import { epochOf, failsWith, groupOf, textsOf, World } from "./support.ts";

test("TRU-16: what waits in a history that another one displaces fails, stays under the id, and never leaves", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const line = new Line();
  const bob = await world.device("bob", { wrap: line.wrap });
  const eve = await world.device("eve");
  await strangersGroup(eve, adminGroup.id, [bob, admin, member], "Reading circle");
  await bob.client.conversations.sync();
  const shown = groupOf(bob, adminGroup.id);
  line.down();
  await failsWith(shown.send("for the stranger's group"), "NODE_UNREACHABLE");
  line.up();
  line.published = 0;
  await adminGroup.addMembers([bob.client.inboxId]);
  await bob.client.conversations.sync();
  // Two histories claim the id, and neither is proven: nothing is sent to the one that is shown.
  assert.deepEqual([line.published, states(shown)], [0, [["for the stranger's group", "waiting", undefined]]]);
  await memberGroup.sync();
  await memberGroup.send("hello, bob");
  await bob.client.conversations.sync();
  assert.deepEqual(epochOf(shown), epochOf(adminGroup));
  assert.deepEqual(states(shown), [["for the stranger's group", "failed", "GROUP_CONFLICT"]]);
  assert.deepEqual(
    line.failed.map(({ groupId, message }) => [groupId, message.text, message.error]),
    [[adminGroup.id, "for the stranger's group", "GROUP_CONFLICT"]],
  );
  await world.restart(bob, line.wrap);
  const restarted = groupOf(bob, adminGroup.id);
  await restarted.sync();
  assert.deepEqual([line.published, line.failed.length], [0, 1]);
  const [failed] = restarted.queue();
  assert.deepEqual(await restarted.cancel(failed?.id ?? ""), { cancelled: true, mayHaveLeft: false });
  await restarted.send("for the reading circle");
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["hello, bob", "for the reading circle"]);
});

test("TRU-16: what waits in a join that was refused fails; joined again, it is not sent by itself", async (t) => {
  const world = await World.start(t);
  const line = new Line();
  const { adminGroup, memberGroup, invite, joiner, group } = await ledAstray(world);
  await world.restart(joiner, line.wrap);
  const view = groupOf(joiner, group.id);
  line.down();
  await failsWith(view.send("said too early"), "NODE_UNREACHABLE");
  line.up();
  // The node takes copies and loses them.
  line.send = () => Promise.resolve();
  await adminGroup.send("not for those who are in another history");
  await memberGroup.sync();
  await joiner.client.conversations.sync();
  assert.equal(view.status, "refused");
  assert.deepEqual(states(view), [["said too early", "failed", "NOT_A_MEMBER"]]);
  assert.equal(line.failed.length, 1);
  line.up();
  await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  const again = groupOf(joiner, group.id);
  await again.sync();
  assert.deepEqual(epochOf(again), epochOf(adminGroup));
  assert.deepEqual(states(again), [["said too early", "failed", "NOT_A_MEMBER"]]);
  await again.send("said in time");
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup).slice(1), ["said in time"]);
});

test("TRU-16: what waits while a group is parted is sent once, after the return, to those who are in then", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const line = new Line();
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).rotateKeys();
  });
  await world.restart(member, line.wrap);
  const view = groupOf(member, adminGroup.id);
  line.down();
  await failsWith(view.send("kept for the return"), "NODE_UNREACHABLE");
  line.up();
  line.published = 0;
  await member.client.conversations.sync();
  assert.equal(view.status, "parted");
  await failsWith(view.send("nobody could read this"), "GROUP_PARTED");
  assert.deepEqual([line.published, states(view)], [0, [["kept for the return", "waiting", undefined]]]);
  // The super admin's client answers the request of the parted device, and its word confirms the return.
  await admin.client.conversations.sync();
  await adminGroup.send("welcome back");
  await member.client.conversations.sync();
  await member.client.conversations.sync();
  assert.deepEqual([view.status, view.queue(), line.failed], ["confirmed", [], []]);
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["welcome back", "kept for the return"]);
  assert.equal(line.published, 1);
});
