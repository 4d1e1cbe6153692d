import assert from "node:assert/strict";
import { test } from "node:test";
import { peekMlsMessage } from "@latchkey/mls";
import { publishUnknownId } from "./forge.ts";
import { movableWorld } from "./movable-world.ts";
import { epochOf, failsWith, openSlot, readCommits } from "./support.ts";

test("TRU-08 IDN-02 who posts joins of ids that never come keeps nobody from ending the invite", async (t) => {
  const { world, pass } = await movableWorld(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.invites.create();
  await member.client.conversations.sync();
  const stranger = await world.device("stranger");
  const info = await openSlot(stranger, invite.payload, world.node.url);
  const post = async (id: bigint) => {
    await publishUnknownId(stranger, info, id);
    for (const { client } of [admin, member]) await client.conversations.sync();
  };
  const letMinutePass = () => {
    pass(60);
    for (const { clock } of [admin, member]) clock.forward(60_000);
  };

  await post(1_000_000n);
  await failsWith(adminGroup.invites.revoke(), "IDENTITY_PENDING");
  await failsWith(adminGroup.invites.revoke(), "IDENTITY_PENDING");
  for (const id of [1_000_001n, 1_000_002n, 1_000_003n]) {
    letMinutePass();
    await post(id);
  }

  assert.equal(adminGroup.invites.current, undefined);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  for (const group of [adminGroup, memberGroup]) assert.equal(group.waitsUntilNs, undefined);
  const commits = await readCommits(admin, adminGroup.id);
  const own = commits.filter(({ data }) => peekMlsMessage(data).epoch === adminGroup.epoch - 1n);
  assert.equal(own.length, 5, "four joins and one commit of the admin");
  await adminGroup.updateName("Closed");
  await memberGroup.sync();
  assert.equal(memberGroup.name, "Closed");
});
