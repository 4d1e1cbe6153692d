import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@latchkey/mls";
import { decodeInvitePayload } from "@latchkey/xmtp";
import { brokenBlob, slotOf } from "./blobs.ts";
import { hintingBlob, ledAstray } from "./led-astray.ts";
import { epochOf, failsWith, groupOf, mlsOf, publishRaw, readLog, World, type Device, type Wrap } from "./support.ts";

test("SEC-12 a joiner reads the log from where the signer of the GroupInfo has read it, however long it is", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  for (let index = 0; index < 20; index++) await adminGroup.send(`message ${index}`);
  const { url, payload } = await adminGroup.createInvite();
  const served: number[] = [];
  const counting: Wrap = (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (...args) => {
      const page = await transport.queryGroupMessages(...args);
      served.push(page.items.length);
      return page;
    };
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  };
  const joiner = await world.device("joiner", { wrap: counting });
  const { group } = await joiner.client.conversations.joinByInvite(url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  const all = (await readLog(joiner, group.id)).length;
  assert.ok(served.reduce((sum, count) => sum + count, 0) - all <= 8, `${served.join()} envelopes`);
  assert.ok(payload.length > 0);
});

test("SEC-12 a hint to something that the log does not hold is no hint: the log is read from its beginning", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const lies = [2n ** 64n - 1n, 2n ** 62n];
  for (const [index, logCursor] of lies.entries()) {
    const joiner = await world.device(`joiner-${index}`);
    const blob = await hintingBlob(admin, adminGroup.id, invite.payload, logCursor);
    const { group } = await joiner.client.joinGroupByExternalInvite(invite.payload, blob);
    await adminGroup.sync();
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    const stale = await world.device(`stale-${index}`);
    await failsWith(stale.client.joinGroupByExternalInvite(invite.payload, blob), "INVITE_STALE");
  }
});

test("SEC-12 a member's false hint: the join is found out to be refused, says so, and can be done again", async (t) => {
  const world = await World.start(t);
  const { adminGroup, memberGroup, invite, joiner, group } = await ledAstray(world);
  await adminGroup.send("not for those who are in another history");
  await memberGroup.sync();
  await joiner.client.conversations.sync();
  assert.deepEqual([group.status, group.isActive, group.messages().length], ["refused", false, 0]);
  assert.deepEqual(joiner.client.conversations.listPendingJoins(), []);
  await failsWith(group.send("to nobody"), "NOT_A_MEMBER");

  const again = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  await memberGroup.sync();
  for (const view of [again.group, group, memberGroup]) assert.deepEqual(epochOf(view), epochOf(adminGroup));
  await joiner.client.conversations.sync();
  assert.deepEqual([group.status, group.isActive], ["confirmed", true]);
  await group.send("now to everybody");
  await adminGroup.sync();
  assert.equal(adminGroup.messages().at(-1)?.text, "now to everybody");
});

test("SEC-12 reading the group finds out a refused join, and joining again leads into the group as it is", async (t) => {
  const world = await World.start(t);
  const { adminGroup, invite, joiner, group } = await ledAstray(world);
  const doubtful = () => joiner.client.conversations.listPendingJoins().map((join) => join.unconfirmed);
  assert.deepEqual(doubtful(), [false]);
  await adminGroup.send("not for those who are in another history");
  await group.sync();
  assert.deepEqual([doubtful(), group.status, group.isActive], [[], "refused", false]);

  const again = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(again.group), epochOf(adminGroup));
  assert.equal(adminGroup.members().length, 3);
});

test("SEC-12 a stranger's junk makes a good join doubtful and nothing worse; a member's signed state ends the doubt", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup } = await world.group();
  await world.restart(admin, (parts) => ({ ...parts, joinReceipts: false }));
  const adminView = groupOf(admin, adminGroup.id);
  const invite = await adminView.createInvite();
  const joiner = await world.device("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  const before = epochOf(group);
  // A PrivateMessage of the present epoch that no key opens: what another history's messages look like.
  const { message } = await mlsOf(joiner, group.id).encryptApplication(new Uint8Array(8));
  message.set(
    message.slice(-64).map((byte) => byte ^ 1),
    message.length - 64,
  );
  await publishRaw(joiner, message);
  await joiner.client.conversations.sync();
  assert.deepEqual([group.status, group.isActive], ["pending", true]);
  assert.equal((await joiner.client.conversations.joinByInvite(invite.url)).group.id, group.id);
  assert.deepEqual(epochOf(group), before);
  await failsWith(joiner.client.joinGroupByExternalInvite(invite.payload, []), "INVITE_NO_CANDIDATE");
  assert.deepEqual([group.status, group.isActive], ["pending", true]);

  await adminView.sync();
  const { blob } = await adminView.createExternalInvite();
  const { symmetricKey: key } = decodeInvitePayload(invite.payload);
  for (const served of [await brokenBlob(admin, group.id, key), blob]) {
    await admin.environment.slots.upload(slotOf(invite.payload, world.node.url), served);
  }
  joiner.clock.forward(60_000);
  await joiner.client.conversations.sync();
  assert.deepEqual([group.status, group.isActive], ["confirmed", true]);
  assert.deepEqual(epochOf(group), before);
  assert.ok(fromHex(group.id).length > 0);
});

test("SEC-12 a device that came along in a refused join comes along in the next one", async (t) => {
  const world = await World.start(t);
  let tablet: Device | undefined;
  const prepare = async ({ signer }: Device) => (tablet = await world.device("tablet", { signer }));
  const { adminGroup, invite, joiner, group } = await ledAstray(world, prepare);
  assert.ok(tablet !== undefined);
  await tablet.client.conversations.sync();
  assert.deepEqual(epochOf(groupOf(tablet, group.id)), epochOf(group));
  await adminGroup.send("not for those who are in another history");
  await tablet.client.conversations.sync();
  await joiner.client.conversations.sync();

  await joiner.client.conversations.joinByInvite(invite.url);
  await tablet.client.conversations.sync();
  await adminGroup.sync();
  assert.deepEqual(epochOf(groupOf(tablet, group.id)), epochOf(adminGroup));
});
