import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { LatchkeyError } from "@latchkey/mls";
import type { Group } from "@latchkey/client";
import { rawExternalCommit } from "./forge.ts";
import { restoredAfter } from "./restored.ts";
import {
  epochOf,
  failsWith,
  groupOf,
  openSlot,
  publishRaw,
  textsOf,
  World,
  type Device,
  type Wrap,
} from "./support.ts";

/*
 * A message under the own signature that the own state does not know proves that the database is an older copy. Here
 * every kind of message that an installation sends comes back late, after its state has moved on or has let it go.
 */

/** The line of one device: what it sends can be held up, as a request that arrives late, or be refused. */
class HeldLine {
  readonly held: Uint8Array[] = [];
  #how: "open" | "late" | "refused" = "open";

  readonly wrap: Wrap = (environment) => {
    const { transport } = environment;
    const sendGroupMessages: typeof transport.sendGroupMessages = async (messages, signal) => {
      if (this.#how === "open") return transport.sendGroupMessages(messages, signal);
      for (const { data } of messages) this.held.push(data);
      const code = this.#how === "late" ? "NODE_UNREACHABLE" : "NODE_REJECTED";
      throw new LatchkeyError(code, "no answer (made up by a test)", { retryable: this.#how === "late" });
    };
    return { ...environment, transport: { ...transport, sendGroupMessages } };
  };

  /** What `task` sends is held up, so that it ends with that code. */
  async holds(how: "late" | "refused", task: () => Promise<unknown>): Promise<void> {
    this.#how = how;
    const before = this.held.length;
    await failsWith(task(), how === "late" ? "NODE_UNREACHABLE" : "NODE_REJECTED");
    this.#how = "open";
    assert.ok(this.held.length > before, "something has left");
  }

  /** As `holds` for what leaves in the background of a call that works. */
  async holdsQuietly(task: () => Promise<unknown>): Promise<void> {
    this.#how = "late";
    const before = this.held.length;
    await task().catch(() => undefined);
    this.#how = "open";
    assert.ok(this.held.length > before, "something has left");
  }
}

/** An admin, a member whose messages can be held up, and a third. */
async function circle(t: TestContext) {
  const world = await World.start(t);
  const line = new HeldLine();
  const admin = await world.device("admin");
  const member = await world.device("member", { wrap: line.wrap });
  const third = await world.device("third");
  const adminGroup = await admin.client.conversations.createGroup([member, third].map(({ client }) => client.inboxId));
  for (const { client } of [member, third]) await client.conversations.sync();
  const onMember = () => groupOf(member, adminGroup.id);
  return { world, line, admin, member, third, adminGroup, onMember };
}

/** Everything that was held up arrives now; the device reads it, also after a restart, and is not parted. */
async function arriveLate(
  world: World,
  line: HeldLine,
  device: Device,
  admin: Device,
  adminGroup: Group,
): Promise<void> {
  for (const round of ["running", "restarted"]) {
    for (const data of line.held) await publishRaw(admin, data);
    await device.client.conversations.sync();
    await adminGroup.sync();
    const group = groupOf(device, adminGroup.id);
    assert.deepEqual([round, group.status, group.isActive], [round, "confirmed", true]);
    assert.deepEqual(epochOf(group), epochOf(adminGroup));
    await group.send(`${device.name} still speaks, ${round}`);
    await world.restart(device, line.wrap);
  }
  await adminGroup.sync();
  for (const text of ["running", "restarted"].map((round) => `${device.name} still speaks, ${round}`)) {
    assert.equal(textsOf(adminGroup).filter((said) => said === text).length, 1);
  }
}

test("TRU-10 messages that were encrypted anew come back late, and prove nothing", async (t) => {
  const { world, line, admin, member, adminGroup, onMember } = await circle(t);
  await line.holds("late", () => onMember().send("renewed once"));
  await adminGroup.updateName("one");
  await onMember().sync();
  // A restart lies between, so that the state is what the disk says.
  await line.holds("late", () => onMember().send("renewed after a restart"));
  await world.restart(member, line.wrap);
  await adminGroup.updateName("two");
  await member.client.conversations.sync();
  await arriveLate(world, line, member, admin, adminGroup);
  for (const text of ["renewed once", "renewed after a restart"]) assert.ok(textsOf(adminGroup).includes(text), text);
});

test("TRU-10 commits that lost, and messages said while one was under way, come back late, and prove nothing", async (t) => {
  const { world, line, admin, member, adminGroup, onMember } = await circle(t);
  await line.holds("late", () => onMember().updateName("lost"));
  await line.holds("late", () => onMember().sync());
  await adminGroup.updateName("won");
  await onMember().sync();
  // A commit that is on its way, a message in its epoch, a restart, and the echo of both behind the next commit.
  await line.holds("late", () => onMember().updateName("on its way"));
  await line.holds("late", () => onMember().send("beside a commit"));
  await world.restart(member, line.wrap);
  await onMember().sync();
  await adminGroup.updateName("and on");
  await arriveLate(world, line, member, admin, adminGroup);
});

test("TRU-10 messages that the node has refused are known as own when it shows them all the same", async (t) => {
  const { world, line, admin, member, adminGroup, onMember } = await circle(t);
  await line.holds("refused", () => onMember().send("refused"));
  await adminGroup.updateName("on");
  await onMember().sync();
  await line.holds("refused", () => onMember().updateName("refused"));
  await adminGroup.updateName("and on");
  await arriveLate(world, line, member, admin, adminGroup);
});

test("TRU-10 requests to leave and receipts come back late, and prove nothing", async (t) => {
  const { world, line, admin, member, adminGroup, onMember } = await circle(t);
  await line.holds("late", () => onMember().leave());
  await adminGroup.updateName("before the request");
  const invite = await adminGroup.createInvite();
  const joiner = await world.device("joiner");
  await joiner.client.conversations.joinByInvite(invite.url);
  await line.holdsQuietly(() => member.client.conversations.sync());
  await adminGroup.send("a word of somebody else");
  await adminGroup.updateName("after the join");
  for (const data of line.held) await publishRaw(admin, data);
  await member.client.conversations.sync();
  assert.notEqual(onMember().status, "parted");
  await world.restart(member, line.wrap);
  await member.client.conversations.sync();
  assert.notEqual(onMember().status, "parted");
});

test("TRU-10 the second commit of a removal comes back late, and proves nothing", async (t) => {
  const world = await World.start(t);
  const line = new HeldLine();
  const admin = await world.device("admin", { wrap: line.wrap });
  const [bob, cleo] = [await world.device("bob"), await world.device("cleo")];
  const group = await admin.client.conversations.createGroup([bob, cleo].map(({ client }) => client.inboxId));
  for (const { client } of [bob, cleo]) await client.conversations.sync();
  await group.createInvite();
  await line.holdsQuietly(() => group.removeMembers([cleo.client.inboxId], { rotateInvite: "slot" }));
  await groupOf(bob, group.id).updateName("first");
  await admin.client.conversations.sync();
  await arriveLate(world, line, admin, bob, groupOf(bob, group.id));
});

test("TRU-10 a join that lost comes back late, and proves nothing to the one who joined after all", async (t) => {
  const { world, adminGroup, admin } = await circle(t);
  const invite = await adminGroup.createInvite();
  const line = new HeldLine();
  const joiner = await world.device("joiner", { wrap: line.wrap });
  await line.holdsQuietly(() => joiner.client.conversations.joinByInvite(invite.url));
  await adminGroup.updateName("meanwhile");
  await world.restart(joiner, line.wrap);
  await joiner.client.conversations.sync();
  if (joiner.client.conversations.get(adminGroup.id) === undefined) {
    await joiner.client.conversations.joinByInvite(invite.url);
  }
  await adminGroup.sync();
  await adminGroup.send("welcome");
  await arriveLate(world, line, joiner, admin, adminGroup);
});

test("TRU-10 a restored database knows itself also while its log waits for an identity update, and uses no key again", async (t) => {
  const { world, admin, member, third, adminGroup, onMember } = await circle(t);
  const invite = await adminGroup.createInvite();
  await onMember().sync();
  member.client.close();
  copyFileSync(member.dbPath, world.path("backup.db"));
  await world.restart(member);
  const stranger = await world.device("stranger");
  const info = await openSlot(stranger, invite.payload, world.node.url);
  await publishRaw(stranger, await rawExternalCommit(stranger, info, { sequenceId: 1_000_000n }));
  await onMember().send("behind what waits");

  member.client.close();
  copyFileSync(world.path("backup.db"), member.dbPath);
  await world.restart(member);
  const error = await failsWith(onMember().send("with the same key"), "GROUP_PARTED");
  assert.equal(error.data["proof"], "own-envelope");
  assert.ok(onMember().waitsUntilNs !== undefined, "the log waits still");

  // For everybody else the wait proves nothing.
  for (const device of [admin, third]) {
    await device.client.conversations.sync();
    await groupOf(device, adminGroup.id).send(`${device.name} speaks`);
    await device.client.conversations.sync();
    assert.equal(groupOf(device, adminGroup.id).status, "confirmed");
  }
});

test("TRU-10 a restored database that queues a message without a network uses no message key again", async (t) => {
  const world = await World.start(t);
  const { member, adminGroup } = await world.group();
  let isOffline = false;
  const wrap: Wrap = (environment) => {
    const { transport } = environment;
    const queryGroupMessages: typeof transport.queryGroupMessages = async (position, signal) => {
      if (isOffline) throw new LatchkeyError("NODE_UNREACHABLE", "made up by a test", { retryable: true });
      return transport.queryGroupMessages(position, signal);
    };
    return { ...environment, transport: { ...transport, queryGroupMessages } };
  };
  await restoredAfter(world, member, async () => {
    await groupOf(member, adminGroup.id).send("after the backup");
  });
  await world.restart(member, wrap);
  const restored = groupOf(member, adminGroup.id);

  isOffline = true;
  await failsWith(restored.send("from the copy"), "NODE_UNREACHABLE");
  isOffline = false;
  await member.client.conversations.sync();

  assert.equal(restored.status, "parted");
  await adminGroup.sync();
  assert.deepEqual(textsOf(adminGroup), ["after the backup"]);
  assert.deepEqual(adminGroup.rejections(), []);
});
