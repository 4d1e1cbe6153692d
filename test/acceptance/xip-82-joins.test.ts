import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { readQrFromPng } from "@latchkey/client/node";
import { peekMlsMessage } from "@latchkey/mls";
import { epochOf, groupOf, readLog, textsOf, World } from "./support.ts";

test("XIP-01 a joiner with one installation scans: admin and joiner agree and read each other", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const file = world.path("invite.png");
  writeFileSync(file, (await adminGroup.createInvite()).toQR("png"));
  const joiner = await world.device("joiner");

  const { group } = await joiner.client.conversations.joinByInvite(readQrFromPng(readFileSync(file)));
  await adminGroup.sync();

  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.equal(group.installationCount, 3);
  await group.send("hello from outside");
  await adminGroup.sync();
  await adminGroup.send("welcome in");
  await group.sync();
  assert.deepEqual(textsOf(adminGroup), ["hello from outside", "welcome in"]);
  assert.deepEqual(textsOf(group), ["hello from outside", "welcome in"]);
  assert.equal(group.status, "confirmed");
});

test("XIP-02 a joiner with three installations: one commit adds all, siblings come by Welcome, all talk", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const phone = await world.device("phone");
  const laptop = await world.device("laptop", { signer: phone.signer });
  const tablet = await world.device("tablet", { signer: phone.signer });
  const before = (await readLog(phone, adminGroup.id)).length;

  const { group } = await phone.client.conversations.joinByInvite(invite.url);
  await laptop.client.conversations.sync();
  await tablet.client.conversations.sync();
  await adminGroup.sync();

  const log = await readLog(phone, adminGroup.id);
  assert.equal(log.length, before + 1);
  assert.equal(peekMlsMessage(log.at(-1)?.data ?? new Uint8Array(0)).wireFormat, "public_message");
  const all = [adminGroup, group, groupOf(laptop, group.id), groupOf(tablet, group.id)];
  for (const other of all) assert.deepEqual(epochOf(other), epochOf(adminGroup));
  const entry = adminGroup.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
  const installations = [phone, laptop, tablet].map(({ client }) => client.installationId).sort();
  assert.deepEqual([...(entry?.installations ?? [])].sort(), installations);
  assert.equal(entry?.joinedByInvite, true);
  for (const [index, speaker] of all.entries()) {
    await speaker.send(`message ${index}`);
    for (const listener of all) await listener.sync();
  }
  for (const listener of all) assert.deepEqual(textsOf(listener), ["message 0", "message 1", "message 2", "message 3"]);
});

test("XIP-02 a second person scans the same code afterwards, while nobody of the group was online", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  admin.client.close();
  member.client.close();
  const first = await world.device("first");
  const second = await world.device("second");

  const one = await first.client.conversations.joinByInvite(invite.url);
  const two = await second.client.conversations.joinByInvite(invite.url);
  await one.group.send("first in");
  await two.group.send("second in");
  await world.restart(admin);
  await world.restart(member);
  const everybody = [admin, member, first, second];
  for (const device of everybody) await device.client.conversations.sync();

  const views = everybody.map((device) => groupOf(device, adminGroup.id));
  for (const view of views) {
    assert.deepEqual(epochOf(view), epochOf(two.group));
    assert.equal(view.members().length, 4);
  }
  for (const view of views.slice(0, 2)) assert.deepEqual(textsOf(view), ["first in", "second in"]);
});
