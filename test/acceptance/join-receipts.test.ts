import assert from "node:assert/strict";
import { test } from "node:test";
import { peekMlsMessage } from "@latchkey/mls";
import { groupOf, readLog, World, type Device } from "./support.ts";
import { Waits } from "./waits.ts";

/** How many application messages the group's log holds. */
async function spoken(device: Device, groupId: string): Promise<number> {
  const log = await readLog(device, groupId);
  return log.filter(({ data }) => peekMlsMessage(data).contentKind === "application").length;
}

test("REV-04 a join is confirmed by the receipt of the first member that comes by; nobody is shown it, the others send none", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const { group, status } = await joiner.client.conversations.joinByInvite(invite.url);
  await group.send("hello, a joiner's own words prove nothing to it");
  await group.sync();
  assert.deepEqual(
    [status, group.status, joiner.client.conversations.listPendingJoins().length],
    ["pending", "pending", 1],
  );

  await adminGroup.sync();
  await memberGroup.sync();
  await adminGroup.sync();
  assert.equal(await spoken(joiner, group.id), 2);
  await group.sync();
  assert.deepEqual([group.status, joiner.client.conversations.listPendingJoins()], ["confirmed", []]);
  for (const view of [group, adminGroup, memberGroup]) assert.equal(view.messages().length, 1);
});

test("REV-04 any word of a member is as good as a receipt, which is not sent then", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await memberGroup.send("welcome");
  await adminGroup.sync();
  await memberGroup.sync();
  await group.sync();
  assert.equal(group.status, "confirmed");
  assert.equal(await spoken(joiner, group.id), 1);
});

test("REV-04 a client with receipts turned off sends none", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  for (const device of [admin, member]) await world.restart(device, (parts) => ({ ...parts, joinReceipts: false }));
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  for (const device of [admin, member]) await device.client.conversations.sync();
  await group.sync();
  assert.equal(group.status, "pending");
  assert.equal(await spoken(joiner, group.id), 0);
  assert.ok(adminGroup.id === memberGroup.id);
});

test("REV-04 members that listen wait before they answer: one receipt for all who joined meanwhile, none where others spoke", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const waits = new Waits();
  await world.restart(member, waits.wrap);
  const memberGroup = groupOf(member, adminGroup.id);
  await memberGroup.sync();
  const stop = new AbortController();
  const joins = memberGroup.streamJoins({ signal: stop.signal });
  const joiners: Device[] = [];
  for (let index = 0; index < 4; index++) {
    const joiner = await world.device(`joiner-${index}`);
    await joiner.client.conversations.joinByInvite(invite.url);
    joiners.push(joiner);
    assert.equal((await joins.next()).done, false);
  }
  // Asked for the next, the stream goes on behind the last join; only then it is past the point where it owes.
  const next = joins.next();
  await waits.begun();
  assert.equal(await spoken(member, adminGroup.id), 0);
  waits.end();
  const last = await world.device("last");
  while ((await spoken(last, adminGroup.id)) === 0) await new Promise((resolve) => setImmediate(resolve));
  for (const joiner of joiners) {
    const group = groupOf(joiner, adminGroup.id);
    await group.sync();
    assert.equal(group.status, "confirmed");
  }
  assert.equal(await spoken(last, adminGroup.id), 1);

  // Past the pause between two receipts.
  member.clock.forward(60_000);
  const { group } = await last.client.conversations.joinByInvite(invite.url);
  assert.equal((await next).done, false);
  const end = joins.next();
  await waits.begun();
  await adminGroup.send("welcome, all of you");
  waits.end();
  await memberGroup.sync();
  stop.abort();
  assert.equal((await end).done, true);
  await group.sync();
  assert.equal(group.status, "confirmed");
  assert.equal(await spoken(last, adminGroup.id), 2);
});
