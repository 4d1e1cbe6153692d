import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@latchkey/mls";
import { ask } from "./readds.ts";
import { strangersGroup } from "./strangers-group.ts";
import { epochOf, groupOf, textsOf, World } from "./support.ts";
import { madeUp } from "./trap.ts";

const DAY_NS = 86_400_000_000_000n;

test("TRU-10 a request to be added again is answered once a day, for a leaf of the group, by a super admin's client", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const stranger = await world.device("stranger");
  const { id } = adminGroup;
  const begin = adminGroup.epoch;
  const syncs = async () => {
    for (const device of [admin, member, admin]) await device.client.conversations.sync();
  };
  await ask(stranger, admin, id);
  await ask(admin, member, id);
  await syncs();
  assert.deepEqual([adminGroup.epoch, memberGroup.epoch], [begin, begin], "neither a stranger nor a plain member");
  assert.deepEqual(admin.client.conversations.listUnsupported(), []);
  // A member in good order asks as well: it is added again, and comes back by the Welcome of a super admin.
  await ask(member, admin, id);
  await syncs();
  assert.equal(adminGroup.epoch, begin + 1n);
  assert.deepEqual(epochOf(memberGroup), epochOf(adminGroup));
  await adminGroup.send("welcome back");
  await memberGroup.sync();
  assert.deepEqual([memberGroup.status, textsOf(memberGroup)], ["confirmed", ["welcome back"]]);
  for (let again = 0; again < 3; again++) {
    await ask(member, admin, id);
    await syncs();
  }
  assert.equal(adminGroup.epoch, begin + 1n);
  // As if all of that had been a day ago.
  admin.environment.store.transaction(({ readds }) => {
    for (const row of readds.list()) {
      readds.put({ ...row, requestedAtNs: row.requestedAtNs - DAY_NS, doneAtNs: row.doneAtNs - DAY_NS });
    }
  });
  await ask(member, admin, id);
  await syncs();
  assert.equal(adminGroup.epoch, begin + 2n);
});

test("TRU-10 a Welcome replaces no group in good order, whoever signs it", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  await adminGroup.send("true");
  await memberGroup.sync();
  const before = epochOf(memberGroup);
  // The super admin itself makes another group of the same id.
  await strangersGroup(admin, adminGroup.id, [member], "another");
  await member.client.conversations.sync();
  const view = groupOf(member, adminGroup.id);
  assert.deepEqual(
    [epochOf(view), view.name, view.status, textsOf(view)],
    [before, "Reading circle", "confirmed", ["true"]],
  );
  const [conflict] = await member.client.conversations.conflicts();
  assert.deepEqual(
    conflict?.claims.map(({ isShown }) => isShown),
    [true, false],
  );
});

test("TRU-10 requests of a stranger with fields at their borders stop nobody and leave nothing", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const eve = await world.device("eve");
  for (const latestCommitId of [1n, 2n ** 63n - 1n, 2n ** 64n - 1n])
    await ask(eve, admin, adminGroup.id, { latestCommitId });
  for (const length of [0, 65, 65_536]) await ask(eve, admin, adminGroup.id, { groupId: new Uint8Array(length) });
  await ask(eve, admin, adminGroup.id, { members: madeUp(4_200) });
  await ask(member, admin, adminGroup.id, { latestCommitId: 2n ** 64n - 1n, members: madeUp(4_200) });
  const { epoch } = adminGroup;
  await admin.client.conversations.sync();
  assert.equal(adminGroup.epoch, epoch + 1n, "the member's own request alone is answered");
  assert.deepEqual(
    admin.environment.store.readds.list().map(({ inboxId }) => toHex(inboxId)),
    [member.client.inboxId],
  );
  await member.client.conversations.sync();
  await adminGroup.send("hello");
  await memberGroup.sync();
  assert.deepEqual(textsOf(memberGroup), ["hello"]);
});
