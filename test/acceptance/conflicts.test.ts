import assert from "node:assert/strict";
import { test } from "node:test";
import { CLIENT_LIMITS } from "@latchkey/client";
import { fromHex, toHex } from "@latchkey/mls";
import { encodeTextMessage } from "@latchkey/xmtp";
import { strangersGroup } from "./strangers-group.ts";
import { epochOf, failsWith, groupOf, readLog, textsOf, World, type Device } from "./support.ts";

/** What a device shows of the histories that claim group ids. */
async function claimsOf({ client }: Device) {
  return (await client.conversations.conflicts()).map(({ groupId, claims }) => ({
    groupId,
    claims: claims.map(({ signer, isProven, isShown }) => [signer, isProven, isShown]),
  }));
}

test("TRU-11 a stranger's group before the true one: neither is sent to until a third member speaks in one", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const bob = await world.device("bob");
  const eve = await world.device("eve");
  const forged = await strangersGroup(eve, adminGroup.id, [bob, admin, member], "Reading circle");
  await bob.client.conversations.sync();
  await groupOf(bob, adminGroup.id).send("to the stranger's group");
  await adminGroup.addMembers([bob.client.inboxId]);
  await adminGroup.send("welcome, bob");
  await bob.client.conversations.sync();
  const shown = groupOf(bob, adminGroup.id);
  assert.deepEqual(await claimsOf(bob), [
    {
      groupId: adminGroup.id,
      claims: [
        [eve.client.inboxId, false, true],
        [admin.client.inboxId, false, false],
      ],
    },
  ]);
  const secret = "for the reading circle alone";
  await failsWith(shown.send(secret), "GROUP_CONFLICT");
  await failsWith(shown.rotateKeys(), "GROUP_CONFLICT");
  // The admin's own words prove nothing: whoever makes a group can speak in it.
  await adminGroup.send("it is me");
  await bob.client.conversations.sync();
  await failsWith(shown.send(secret), "GROUP_CONFLICT");
  await memberGroup.sync();
  await memberGroup.send("hello, bob");
  await bob.client.conversations.sync();
  assert.deepEqual(epochOf(shown), epochOf(adminGroup));
  assert.deepEqual(textsOf(shown), ["welcome, bob", "it is me", "hello, bob"]);
  await shown.send(secret);
  await adminGroup.sync();
  assert.equal(textsOf(adminGroup).at(-1), secret);
  for (const { data } of await readLog(eve, adminGroup.id)) {
    const read = await forged.reads(data);
    assert.ok(read === undefined || !Buffer.from(read).toString("utf8").includes(secret));
  }
  // What was said in the other history is an entry of its own, that nothing is sent to.
  const [other, ...more] = bob.client.conversations.list().filter(({ id }) => id !== adminGroup.id);
  assert.ok(other !== undefined && more.length === 0);
  assert.deepEqual(textsOf(other), ["to the stranger's group"]);
  await failsWith(other.send("again"), "GROUP_CONFLICT");
  // Later claims displace nothing, and stop nobody.
  await strangersGroup(eve, adminGroup.id, [bob, admin], "Reading circle");
  await bob.client.conversations.sync();
  await shown.send("still here");
  await world.restart(bob);
  assert.deepEqual(epochOf(groupOf(bob, adminGroup.id)), epochOf(adminGroup));
});

test("TRU-11 a stranger's group after a removal shows nothing; added again, the old history is an entry of its own", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup, memberGroup } = await world.group();
  const third = await world.device("third");
  const eve = await world.device("eve");
  await adminGroup.addMembers([third.client.inboxId]);
  await third.client.conversations.sync();
  await adminGroup.send("old");
  await adminGroup.removeMembers([member.client.inboxId]);
  await member.client.conversations.sync();
  assert.deepEqual([memberGroup.status, memberGroup.isActive], ["removed", false]);
  const forged = await strangersGroup(eve, adminGroup.id, [member, admin], "Not the reading circle");
  await forged.send(encodeTextMessage(fromHex(adminGroup.id), "lies", "1").plaintext);
  await member.client.conversations.sync();
  const view = groupOf(member, adminGroup.id);
  assert.deepEqual([view.isActive, view.name, textsOf(view)], [false, "Reading circle", ["old"]]);
  assert.equal((await member.client.conversations.conflicts()).length, 1);
  await adminGroup.addMembers([member.client.inboxId]);
  await member.client.conversations.sync();
  const again = groupOf(member, adminGroup.id);
  assert.deepEqual([again.status, textsOf(again)], ["pending", []]);
  await groupOf(third, adminGroup.id).sync();
  await groupOf(third, adminGroup.id).send("new");
  await member.client.conversations.sync();
  assert.deepEqual([again.status, textsOf(again)], ["confirmed", ["new"]]);
  const [before] = member.client.conversations.list().filter(({ id }) => id !== adminGroup.id);
  assert.deepEqual(
    [before?.status, before?.isActive, before === undefined ? [] : textsOf(before)],
    ["removed", false, ["old"]],
  );
});

test("TRU-11 where no third inbox is, the person chooses, and may choose again", async (t) => {
  const world = await World.start(t);
  const admin = await world.device("admin");
  const bob = await world.device("bob");
  const eve = await world.device("eve");
  const adminGroup = await admin.client.conversations.createGroup([], { name: "The two of us" });
  await strangersGroup(eve, adminGroup.id, [bob, admin], "The two of us");
  await bob.client.conversations.sync();
  await groupOf(bob, adminGroup.id).send("hello?");
  await adminGroup.addMembers([bob.client.inboxId]);
  await bob.client.conversations.sync();
  const [conflict] = await bob.client.conversations.conflicts();
  const genuine = conflict?.claims.find(({ signer }) => signer === admin.client.inboxId);
  const forged = conflict?.claims.find(({ signer }) => signer === eve.client.inboxId);
  assert.ok(genuine !== undefined && forged?.isShown === true && genuine.installationCount === 2);
  const chosen = await bob.client.conversations.choose(genuine.id);
  assert.deepEqual(epochOf(chosen), epochOf(adminGroup));
  await chosen.send("it is you");
  await adminGroup.sync();
  assert.deepEqual([textsOf(adminGroup), textsOf(chosen)], [["it is you"], ["it is you"]]);
  const [again] = await bob.client.conversations.conflicts();
  const other = again?.claims.find(({ isShown }) => !isShown);
  assert.equal(other?.signer, eve.client.inboxId);
  const back = await bob.client.conversations.choose(other.id);
  assert.deepEqual(textsOf(back), ["hello?"]);
  await failsWith(bob.client.conversations.choose(toHex(new Uint8Array(16))), "GROUP_CONFLICT");
});

test("TRU-11 of one group id three claims are kept, those with proof longest", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const strangers = [];
  for (let index = 0; index < 5; index++) strangers.push(await world.device(`eve-${index}`));
  for (const eve of strangers) await strangersGroup(eve, adminGroup.id, [member, admin], "lies");
  await member.client.conversations.sync();
  const claims = (await member.client.conversations.conflicts())[0]?.claims ?? [];
  assert.deepEqual(
    claims.filter(({ isShown }) => !isShown).map(({ signer }) => signer),
    strangers.slice(2).map(({ client }) => client.inboxId),
  );
  // The group is forgotten with all that claimed its id.
  await groupOf(member, adminGroup.id).forget();
  assert.deepEqual(await member.client.conversations.conflicts(), []);
  assert.deepEqual(member.environment.store.groups.list(), []);
});

test("TRU-11 of all group ids 64 claims are kept: the oldest without proof is dropped for the next one", async (t) => {
  const world = await World.start(t);
  const { admin, member, adminGroup } = await world.group();
  const eve = await world.device("eve");
  await strangersGroup(eve, adminGroup.id, [member, admin], "lies");
  await member.client.conversations.sync();
  const { store } = member.environment;
  const claims = () => store.groups.list().filter(({ role }) => role === "claim");
  const [claim] = claims();
  assert.ok(claim !== undefined);
  // Claims of other ids, as if they had come in the hours before; the oldest of all has proof.
  const { maxClaims } = CLIENT_LIMITS;
  const keyOf = (index: number) => Uint8Array.from({ length: 16 }, () => index + 1);
  store.transaction(({ groups }) => {
    for (let index = 0; index < maxClaims - 1; index++) {
      const createdAtNs = claim.createdAtNs - BigInt(maxClaims - index) * 3_600_000_000_000n;
      const key = keyOf(index);
      groups.put({
        ...claim,
        groupId: key,
        mlsGroupId: keyOf(index + 100),
        createdAtNs,
        proven: index === 0 ? 1n : 0n,
      });
    }
  });
  assert.equal(claims().length, maxClaims);
  await strangersGroup(eve, adminGroup.id, [member, admin], "more lies");
  await member.client.conversations.sync();
  const kept = new Set(claims().map(({ groupId }) => toHex(groupId)));
  assert.equal(kept.size, maxClaims);
  assert.deepEqual(
    [0, 1, 2].map((index) => kept.has(toHex(keyOf(index)))),
    [true, false, true],
  );
  await adminGroup.send("hello");
  await member.client.conversations.sync();
  assert.deepEqual(textsOf(groupOf(member, adminGroup.id)), ["hello"]);
});
