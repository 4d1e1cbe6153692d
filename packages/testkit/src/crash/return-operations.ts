import { copyFileSync } from "node:fs";
import { circle, groupIn, inputOf, isIn, standingOf, syncAll, type Operation, type Scene } from "./scene.ts";
import type { Device, Scenario } from "./scenario.ts";

/** Puts the database of a device back to what it was before its last message. */
async function restore(device: Device, groupId: string): Promise<void> {
  const backup = `${device.dbPath}.backup`;
  device.close();
  copyFileSync(device.dbPath, backup);
  await device.open();
  await device.group(groupId)?.send("after the backup");
  device.close();
  copyFileSync(backup, device.dbPath);
  await device.open();
  await syncAll(device);
}

/** A group whose member is parted, and has asked to be added again. */
async function partedCircle(scenario: Scenario) {
  const { admin, member, group } = await circle(scenario);
  await group.send("before");
  await syncAll(member);
  scenario.observe();
  await restore(member, group.id);
  if (member.group(group.id)?.status !== "parted") throw new Error("the restored database is not parted");
  return { admin, member, group };
}

/** The member is back, in the state of the admin. */
function isBack(scenario: Scenario, groupId: string): boolean {
  const [admin, member] = scenario.devices.map((device) => device.group(groupId));
  return member?.status !== "parted" && member?.epochAuthenticator === admin?.epochAuthenticator;
}

/** A member's next message confirms the return, and nothing is left of the state before. */
async function isConfirmed(scenario: Scenario, { input }: Scene): Promise<void> {
  const [admin, member] = scenario.devices;
  await admin?.group(input.groupId)?.send("welcome back");
  if (member !== undefined) await syncAll(member);
  const group = member?.group(input.groupId);
  const texts = group?.messages().map(({ text }) => text) ?? [];
  const entries = member?.environment?.store.groups.list().length;
  if (group?.status !== "confirmed") throw new Error(`the return is ${group?.status ?? "gone"}`);
  if (texts[0] !== "before" || texts.at(-1) !== "welcome back") throw new Error("messages are missing");
  if (group.gaps().length !== 1 || entries !== 1) throw new Error("the gap or the state before is wrong");
}

/** The client of a super admin adds a parted member again. */
const readd: Operation = {
  name: "readd",
  async prepare(scenario) {
    const { admin, group } = await partedCircle(scenario);
    return { victim: admin, input: inputOf({ groupId: group.id }) };
  },
  async run(client) {
    await client.conversations.sync();
  },
  standing: (scenario, { input }) => standingOf([isBack(scenario, input.groupId)]),
  proof: isConfirmed,
};

/** A parted member takes the Welcome that leads it back. */
const comeBack: Operation = {
  name: "come-back",
  async prepare(scenario) {
    const { admin, member, group } = await partedCircle(scenario);
    await syncAll(admin);
    return { victim: member, input: inputOf({ groupId: group.id }) };
  },
  async run(client) {
    await client.conversations.sync();
  },
  standing: (scenario, { input }) => standingOf([isBack(scenario, input.groupId)]),
  proof: isConfirmed,
};

/** A member forgets a group. */
const forget: Operation = {
  name: "forget",
  async prepare(scenario) {
    const { member, group } = await circle(scenario);
    await group.send("spam");
    await syncAll(member);
    return { victim: member, input: inputOf({ groupId: group.id, inboxId: member.client.inboxId }) };
  },
  async run(client, input) {
    await groupIn(client, input).forget();
  },
  standing(_, { victim, input }) {
    const store = victim.environment?.store;
    const left = [store?.groups, store?.groupRows, store?.messages].map((table) => table?.list().length === 0);
    return standingOf([...left, victim.group(input.groupId) === undefined, store?.forgottenGroups.list().length === 1]);
  },
  async proof(scenario, { victim, input }) {
    const group = scenario.devices[0]?.group(input.groupId);
    await group?.send("more spam");
    await syncAll(victim);
    if (victim.group(input.groupId) !== undefined) throw new Error("a message brought the group back");
    await group?.removeMembers([input.inboxId]);
    await group?.addMembers([input.inboxId]);
    await syncAll(victim);
    if (!isIn(victim, input)) throw new Error("the member cannot be added again");
  },
};

/** Ways back into a group, and the way out of sight. */
export const RETURN_OPERATIONS: readonly Operation[] = [readd, comeBack, forget];
