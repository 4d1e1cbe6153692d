import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { readQrFromImage } from "@latchkey/client/node";
import { peekMlsMessage } from "@latchkey/mls";
import {
  countingWrites,
  epochOf,
  failsWith,
  groupOf,
  NO_TRACES,
  readCommits,
  readLog,
  textsOf,
  traces,
  World,
} from "./support.ts";

test("X82-01 a joiner with one installation scans: admin and joiner agree and read each other", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const file = world.path("invite.png");
  writeFileSync(file, (await adminGroup.createInvite()).toQR("png"));
  const joiner = await world.device("joiner");

  const [link = ""] = await readQrFromImage(readFileSync(file));
  const preview = await joiner.client.conversations.previewInvite(link);
  assert.equal(preview.name, "Reading circle");
  const { group } = await joiner.client.conversations.joinByInvite(readFileSync(file));
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

test("X82-02 a joiner with three installations: one commit adds all, siblings come by Welcome, all talk", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const phone = await world.device("phone");
  const laptop = await world.device("laptop", { signer: phone.signer });
  const tablet = await world.device("tablet", { signer: phone.signer });
  const before = (await readCommits(phone, adminGroup.id)).length;

  const { group } = await phone.client.conversations.joinByInvite(invite.url);
  await laptop.client.conversations.sync();
  await tablet.client.conversations.sync();
  await adminGroup.sync();

  const log = await readCommits(phone, adminGroup.id);
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

test("X82-02 a second person scans the same code afterwards, while nobody of the group was online", async (t) => {
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

test("X82-01 an invite can be looked at first: the group as it is, and nothing written anywhere", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  await adminGroup.updateDescription("Thursdays at eight");
  const expiresAtNs = admin.clock.nowNs() + 3_600_000_000_000n;
  const invite = await adminGroup.createInvite({ expiresAtNs, maxUses: 2 });
  const counts = { writes: 0 };
  const joiner = await world.device("joiner");
  await world.restart(joiner, (environment) => countingWrites(environment, counts));
  counts.writes = 0;
  const log = await readLog(joiner, adminGroup.id);

  const preview = await joiner.client.conversations.previewInvite(`Come in: ${invite.url} !`);

  assert.deepEqual(preview, {
    name: "Reading circle",
    description: "Thursdays at eight",
    imageUrl: undefined,
    memberCount: 2,
    members: [
      { inboxId: admin.client.inboxId, permission: "super_admin" as const },
      { inboxId: member.client.inboxId, permission: "member" as const },
    ].sort((a, b) => (a.inboxId < b.inboxId ? -1 : 1)),
    installationCount: 2,
    expiresAtNs,
    usesLeft: 2,
    serviceUrl: world.node.url,
  });
  assert.equal(counts.writes, 0);
  assert.deepEqual(traces(joiner), NO_TRACES);
  assert.deepEqual(await readLog(joiner, adminGroup.id), log);
  await joiner.client.conversations.joinByInvite(invite.payload);
  await failsWith(joiner.client.conversations.previewInvite(invite.url), "ALREADY_MEMBER");
});

test("X82-02 members see who joined through which invite and when, as it happens and afterwards", async (t) => {
  const world = await World.start(t);
  const { admin, adminGroup, memberGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  await memberGroup.sync();
  const stop = new AbortController();
  const listening = memberGroup.streamJoins({ signal: stop.signal });
  const first = listening.next();
  const joiner = await world.device("joiner");
  const tablet = await world.device("tablet", { signer: joiner.signer });

  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  const commit = (await readCommits(admin, group.id)).at(-1);
  const seen = {
    sequenceId: commit?.id,
    inboxId: joiner.client.inboxId,
    admittedVia: invite.externalGroupId,
    admittedAtNs: commit?.createdNs,
  };
  assert.deepEqual((await first).value, seen);
  stop.abort();
  await adminGroup.sync();
  await tablet.client.conversations.sync();
  await world.restart(admin);
  for (const view of [groupOf(admin, group.id), memberGroup, group]) {
    assert.deepEqual(view.joins(), [seen]);
    const ways = view
      .members()
      .map(({ inboxId, admittedVia, admittedAtNs }) => ({ inboxId, admittedVia, admittedAtNs }));
    const { inboxId, admittedVia, admittedAtNs } = seen;
    assert.deepEqual(
      ways.filter((way) => way.admittedVia !== undefined),
      [{ inboxId, admittedVia, admittedAtNs }],
    );
  }
  // Who came later has the slot from the group's state, and no time.
  const late = groupOf(tablet, group.id)
    .members()
    .find(({ inboxId }) => inboxId === joiner.client.inboxId);
  assert.deepEqual([late?.admittedVia, late?.admittedAtNs], [invite.externalGroupId, undefined]);
});
