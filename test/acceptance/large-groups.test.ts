import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT_LIMITS } from "@latchkey/client";
import { decodeInvitePayload } from "@latchkey/xmtp";
import { slotOf } from "./blobs.ts";
import { MadeLogs } from "./made-logs.ts";
import { madeUpBlob } from "./made-up-state.ts";
import { madeUp } from "./trap.ts";
import { epochOf, groupOf, openSlot, textsOf, World, type Wrap } from "./support.ts";

/** Members of the genuine group; LARGE_GROUP=4200 runs the whole, which takes a minute or two. */
const MEMBERS = Number(process.env["LARGE_GROUP"] ?? 40);
/** So many are added by one commit. */
const PER_COMMIT = 500;

test("TRU-04 a made-up blob of a later epoch with 4 200 made-up members: the next candidate is taken, within bounded work", async (t) => {
  const world = await World.start(t);
  const { adminGroup } = await world.group();
  const invite = await adminGroup.createInvite();
  const eve = await world.device("eve");
  const genuine = await openSlot(eve, invite.payload, world.node.url);
  const { symmetricKey } = decodeInvitePayload(invite.payload);
  const blob = await madeUpBlob(eve, genuine, symmetricKey, { members: madeUp(4_200), later: 5 });
  await eve.environment.slots.upload(slotOf(invite.payload, world.node.url), blob);

  const asked: number[] = [];
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const getIdentityUpdates: typeof transport.getIdentityUpdates = (requests, signal) => {
      asked.push(requests.length);
      return transport.getIdentityUpdates(requests, signal);
    };
    return { ...environment, transport: { ...transport, getIdentityUpdates } };
  };
  const joiner = await world.device("joiner", { wrap });
  asked.splice(0);
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await adminGroup.sync();
  assert.deepEqual(epochOf(group), epochOf(adminGroup));
  assert.ok(Math.max(...asked) <= CLIENT_LIMITS.lookUpKeys);
  // The made-up members are asked for once, in parts, and then those of the genuine state and the own log.
  const parts = Math.ceil(4_201 / CLIENT_LIMITS.lookUpKeys);
  assert.ok(asked.length >= parts && asked.length <= parts + 6, asked.join());
});

test(`TRU-04 a genuine group of ${MEMBERS} members opens by Welcome and by invite, sends and adds`, async (t) => {
  const world = await World.start(t);
  const made = new MadeLogs();
  const open = (name: string) => world.device(name, { wrap: made.wrap });
  const people: string[] = [];
  while (people.length < MEMBERS) people.push(await made.person());
  const admin = await open("admin");
  const adminGroup = await admin.client.conversations.createGroup([], { name: "Many" });
  for (let start = 0; start < MEMBERS; start += PER_COMMIT) {
    const { added } = await adminGroup.addMembers(people.slice(start, start + PER_COMMIT));
    assert.equal(added.length, Math.min(PER_COMMIT, MEMBERS - start));
  }
  const invite = await adminGroup.createInvite();

  const welcomed = await open("welcomed");
  await adminGroup.addMembers([welcomed.client.inboxId]);
  made.asked.splice(0);
  await welcomed.client.conversations.sync();
  assert.ok(made.asked.length <= Math.ceil(MEMBERS / CLIENT_LIMITS.lookUpKeys) + 6, made.asked.join());
  const onWelcomed = groupOf(welcomed, adminGroup.id);
  assert.deepEqual(epochOf(onWelcomed), epochOf(adminGroup));

  const joiner = await open("joiner");
  const { group } = await joiner.client.conversations.joinByInvite(invite.url);
  await group.send("by invite");
  await onWelcomed.send("by Welcome");
  const late = await open("late");
  await onWelcomed.addMembers([late.client.inboxId]);
  await late.client.conversations.sync();
  await groupOf(late, adminGroup.id).send("added by a member");
  for (const each of [adminGroup, onWelcomed, group]) {
    await each.sync();
    assert.deepEqual(textsOf(each), ["by invite", "by Welcome", "added by a member"]);
    assert.deepEqual(epochOf(each), epochOf(groupOf(late, adminGroup.id)));
    assert.equal(each.installationCount, MEMBERS + 4);
  }
});
