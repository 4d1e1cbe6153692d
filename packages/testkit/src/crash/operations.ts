import { generatedSigner } from "@latchkey/client/node";
import { fromHex, LatchkeyError, toHex } from "@latchkey/mls";
import type { Environment, Group } from "@latchkey/client";
import type { Fault } from "./fault.ts";
import { linkDevice } from "./link-operation.ts";
import { DEVICE_OPERATIONS } from "./device-operations.ts";
import { RETURN_OPERATIONS } from "./return-operations.ts";
import { FaultInjector } from "./fault-injector.ts";
import { circle, groupIn, inputOf, isIn, sights, standingOf, syncAll, type Operation, type Scene } from "./scene.ts";
import type { Device, Scenario } from "./scenario.ts";

const NEW_NAME = "Night readers";
const TEXT = "the message under test";

/** A stranger scans the code that the admin would show now, and gets in. */
async function nextScannerGetsIn(scenario: Scenario, { input }: Scene): Promise<void> {
  const [admin, ...others] = scenario.devices;
  const link = admin?.group(input.groupId)?.invite?.url;
  if (link === undefined) throw new Error("the admin has no invite to show");
  const stranger = await scenario.device("next-scanner");
  await stranger.client.conversations.joinByInvite(link);
  await syncAll(...scenario.devices.slice(0, 1), ...others);
}

function joining(installations: number): Operation {
  return {
    name: `join-${installations}`,
    async prepare(scenario) {
      const { member, group } = await circle(scenario);
      const { url } = await group.createInvite();
      await syncAll(member);
      const victim = await scenario.device("joiner");
      for (let sibling = 1; sibling < installations; sibling++) await scenario.device(`sibling-${sibling}`, victim);
      return { victim, input: inputOf({ groupId: group.id, link: url, inboxId: victim.client.inboxId }) };
    },
    async run(client, { link }) {
      await client.conversations.joinByInvite(link);
    },
    standing(scenario, { input }) {
      const [admin, member, ...joiners] = scenario.devices.filter(({ name }) => name !== "next-scanner");
      const listed = [admin, member].map((device) => {
        const entry = device
          ?.group(input.groupId)
          ?.members()
          .find(({ inboxId }) => inboxId === input.inboxId);
        return entry?.installations.length === installations;
      });
      return standingOf([...listed, ...joiners.map((device) => isIn(device, input))]);
    },
    proof: nextScannerGetsIn,
  };
}

/** A commit of the admin that is ready to leave, in hex; the admin does not know whether it did. */
async function rivalCommit(admin: Device, groupId: string): Promise<string> {
  let commit = "";
  const fault: Fault = { kind: "cut", moment: "before", at: 1 };
  const injector = new FaultInjector(fault, { sent: (message) => (commit = toHex(message)), dies: () => undefined });
  admin.close();
  await admin.open({
    wrap: (environment) => {
      const { transport } = injector.wrap(environment);
      const sendGroupMessages: typeof transport.sendGroupMessages = (messages) => {
        injector.armed = true;
        return transport.sendGroupMessages(messages);
      };
      return { ...environment, transport: { ...environment.transport, sendGroupMessages } };
    },
  });
  await admin
    .group(groupId)
    ?.updateName("Rival readers")
    .catch(() => undefined);
  admin.close();
  await admin.open();
  return commit;
}

/** As `join-1`, but a commit of the admin is sequenced first: the join is lost and repeated. */
const joinLosing: Operation = {
  ...joining(1),
  name: "join-losing",
  loses: true,
  async prepare(scenario) {
    const scene = await joining(1).prepare(scenario);
    const [admin] = scenario.devices;
    const rival = admin === undefined ? "" : await rivalCommit(admin, scene.input.groupId);
    return { ...scene, input: { ...scene.input, rival } };
  },
};

/** A member's commit that loses against one of the admin. */
const commitLosing: Operation = {
  name: "commit-losing",
  loses: true,
  async prepare(scenario) {
    const { admin, member, group } = await circle(scenario);
    const rival = await rivalCommit(admin, group.id);
    return { victim: member, input: inputOf({ groupId: group.id, rival }) };
  },
  async run(client, input) {
    await groupIn(client, input).updateDescription(NEW_NAME);
  },
  standing: (scenario, { input }) => standingOf(sights(scenario, input, ({ description }) => description === NEW_NAME)),
};

const send: Operation = {
  name: "send",
  async prepare(scenario) {
    const { member, group } = await circle(scenario);
    return { victim: member, input: inputOf({ groupId: group.id }) };
  },
  async run(client, input) {
    await groupIn(client, input).send(TEXT);
  },
  standing(scenario, { input }) {
    const counts: number[] = [];
    sights(scenario, input, (group) => counts.push(group.messages().filter(({ text }) => text === TEXT).length) > 0);
    return counts.some((count) => count > 1) ? "between" : standingOf(counts.map((count) => count === 1));
  },
};

const rename: Operation = {
  name: "commit-rename",
  async prepare(scenario) {
    const { admin, member, group } = await circle(scenario);
    await group.createInvite();
    await syncAll(member);
    return { victim: admin, input: inputOf({ groupId: group.id }) };
  },
  async run(client, input) {
    await groupIn(client, input).updateName(NEW_NAME);
  },
  standing: (scenario, { input }) => standingOf(sights(scenario, input, ({ name }) => name === NEW_NAME)),
  proof: nextScannerGetsIn,
};

const add: Operation = {
  name: "commit-add",
  async prepare(scenario) {
    const { admin, group } = await circle(scenario);
    const newcomer = await scenario.device("newcomer");
    await scenario.device("newcomer-2", newcomer);
    return { victim: admin, input: inputOf({ groupId: group.id, inboxId: newcomer.client.inboxId }) };
  },
  async run(client, input) {
    await groupIn(client, input).addMembers([input.inboxId]);
  },
  standing(scenario, { input }) {
    const listed = sights(scenario, input, (group) => group.members().some(({ inboxId }) => inboxId === input.inboxId));
    const newcomers = scenario.devices.filter(({ name }) => name.startsWith("newcomer"));
    return standingOf([...listed, ...newcomers.map((device) => isIn(device, input))]);
  },
};

const remove: Operation = {
  name: "commit-remove",
  async prepare(scenario) {
    const { admin, member, group } = await circle(scenario);
    const leaver = await scenario.device("leaver");
    await group.addMembers([leaver.client.inboxId]);
    await syncAll(member, leaver);
    return { victim: admin, input: inputOf({ groupId: group.id, inboxId: leaver.client.inboxId }) };
  },
  async run(client, input) {
    await groupIn(client, input).removeMembers([input.inboxId]);
  },
  standing(scenario, { input }) {
    const [admin, member, leaver] = scenario.devices;
    const gone = [admin, member].map(
      (device) =>
        device
          ?.group(input.groupId)
          ?.members()
          .every(({ inboxId }) => inboxId !== input.inboxId) === true,
    );
    return standingOf([...gone, leaver?.group(input.groupId)?.isActive === false]);
  },
};

function isNew(link: string | undefined, old: string): boolean {
  return link !== undefined && link !== old;
}

/** Removes a member and renews the invite: two commits, and between them nobody can join. */
const removeAndRenew: Operation = {
  name: "commit-remove-renew",
  async prepare(scenario) {
    const { admin, member, group } = await circle(scenario);
    // Another super admin, whose client may finish what the first one began.
    await group.promote(member.client.inboxId, "super_admin");
    // Databases keep the last epochs only, and these are more.
    scenario.observe();
    const leaver = await scenario.device("leaver");
    await group.addMembers([leaver.client.inboxId]);
    const { url } = await group.createInvite();
    await syncAll(member, leaver);
    return { victim: admin, input: inputOf({ groupId: group.id, inboxId: leaver.client.inboxId, link: url }) };
  },
  async run(client, input) {
    await groupIn(client, input).removeMembers([input.inboxId], { rotateInvite: "slot" });
  },
  standing(scenario, scene) {
    const renewed = sights(scenario, scene.input, ({ invite }) => isNew(invite?.url, scene.input.link));
    return standingOf([remove.standing(scenario, scene) === "after", ...renewed]);
  },
  async proof(scenario, scene) {
    if (scene.victim.environment?.store.inviteRenewals.list().length !== 0) throw new Error("a renewal is left open");
    await nextScannerGetsIn(scenario, scene);
  },
};

/** Reads a rename, a join by invite and messages of both, all in one go. */
const read: Operation = {
  name: "process",
  async prepare(scenario) {
    const { member, group } = await circle(scenario);
    const { url } = await group.createInvite();
    await group.updateName(NEW_NAME);
    const joiner = await scenario.device("joiner");
    const joined = await joiner.client.conversations.joinByInvite(url);
    await joined.group.send(TEXT);
    return { victim: member, input: inputOf({ groupId: group.id, inboxId: joiner.client.inboxId }) };
  },
  async run(client) {
    await client.conversations.sync();
  },
  standing(_, { victim, input }) {
    const group = victim.group(input.groupId);
    const isComplete =
      group?.name === NEW_NAME &&
      group.members().some(({ inboxId }) => inboxId === input.inboxId) &&
      group.messages().filter(({ text }) => text === TEXT).length === 1;
    return standingOf([isComplete]);
  },
};

/** Opens a Welcome and puts a fresh key package into the place of the one it used. */
const welcome: Operation = {
  name: "welcome",
  async prepare(scenario) {
    const { group, member } = await circle(scenario);
    const victim = await scenario.device("newcomer");
    await group.addMembers([victim.client.inboxId]);
    await syncAll(member);
    return { victim, input: inputOf({ groupId: group.id, inboxId: victim.client.inboxId }) };
  },
  async run(client) {
    await client.conversations.sync();
  },
  standing: (_, { victim, input }) => standingOf([isIn(victim, input)]),
  async proof(scenario, { victim }) {
    const [, member] = scenario.devices;
    if (member === undefined) return;
    const second = await member.client.conversations.createGroup([victim.client.inboxId], { name: "Second circle" });
    await syncAll(victim);
    if (victim.group(second.id) === undefined) throw new Error("the newcomer cannot be invited again");
  },
};

type InviteChange = (group: Group) => Promise<unknown>;

function inviteChange(name: string, change: InviteChange, isDone: (link: string | undefined, old: string) => boolean) {
  const operation: Operation = {
    name,
    async prepare(scenario) {
      const { admin, member, group } = await circle(scenario);
      const old = name === "invite-create" ? undefined : await group.createInvite();
      await syncAll(member);
      return { victim: admin, input: inputOf({ groupId: group.id, link: old?.url ?? "" }) };
    },
    async run(client, input) {
      await change(groupIn(client, input));
    },
    standing: (scenario, { input }) =>
      standingOf(sights(scenario, input, ({ invite }) => isDone(invite?.url, input.link))),
  };
  return name === "invite-revoke" ? operation : { ...operation, proof: nextScannerGetsIn };
}

/** The first opening of an installation: inbox, identity update, key package. */
const register: Operation = {
  name: "register",
  opens: true,
  async prepare(scenario) {
    const { group } = await circle(scenario);
    const victim = scenario.newDevice("newcomer");
    return { victim, input: inputOf({ groupId: group.id }) };
  },
  async run() {
    // Opening was all of it.
  },
  standing: (_, { victim }) => (victim.isOpen ? "after" : "before"),
  async proof(scenario, { victim, input }) {
    const [admin] = scenario.devices;
    const { inboxId } = victim.client;
    const [log] = (await admin?.environment?.transport.getIdentityUpdates([{ inboxId, afterSequenceId: 0n }])) ?? [];
    if (log?.length !== 1) throw new Error(`the identity log has ${log?.length ?? 0} entries`);
    await admin?.group(input.groupId)?.addMembers([inboxId]);
    await syncAll(...scenario.devices);
    if (!isIn(victim, input)) throw new Error("the newcomer cannot be added");
  },
};

/** A further installation of somebody: an identity update that adds it to the inbox. */
const registerSecond: Operation = {
  ...register,
  name: "register-second",
  async prepare(scenario) {
    const { group } = await circle(scenario);
    const first = await scenario.device("first");
    const victim = scenario.newDevice("second", first);
    return { victim, input: inputOf({ groupId: group.id }) };
  },
  async proof(scenario, { victim, input }) {
    const [admin, , first] = scenario.devices;
    await admin?.group(input.groupId)?.addMembers([victim.client.inboxId]);
    await syncAll(...scenario.devices);
    if (first === undefined || !isIn(victim, input) || !isIn(first, input)) throw new Error("one of both is missing");
  },
};

/** Days after which a key package is old enough to be replaced at the next start. */
const LONG_AGO_MS = -40 * 86_400_000;

/** An environment whose node answers no question about identity logs. */
function withoutIdentityLogs(environment: Environment): Environment {
  const getIdentityUpdates = () =>
    Promise.reject(new LatchkeyError("NODE_UNREACHABLE", "made up by the crash matrix", { retryable: true }));
  return { ...environment, transport: { ...environment.transport, getIdentityUpdates } };
}

/** Puts a fresh key package into the place of one that has grown old. */
const rotateKeyPackage: Operation = {
  ...register,
  name: "rotate-key-package",
  async prepare(scenario) {
    const { group } = await circle(scenario);
    const victim = scenario.newDevice("newcomer");
    await victim.open();
    // A clock that is so wrong is refused where the node tells the time: the key package of long ago is made without it.
    victim.environment?.store.transaction(({ keyPackages }) => keyPackages.delete());
    victim.close();
    await victim.open({ aheadMs: LONG_AGO_MS, wrap: withoutIdentityLogs });
    return { victim, input: inputOf({ groupId: group.id }) };
  },
  async proof(scenario, { victim, input }) {
    const current = victim.environment?.store.keyPackages.list().filter(({ retiredAtNs }) => retiredAtNs === undefined);
    if (current?.length !== 1) throw new Error(`${current?.length ?? 0} key packages are in use`);
    const [admin] = scenario.devices;
    await admin?.group(input.groupId)?.addMembers([victim.client.inboxId]);
    await syncAll(...scenario.devices);
    if (!isIn(victim, input)) throw new Error("the newcomer cannot be added");
  },
};

/** Makes a group with a first member in it. */
const create: Operation = {
  name: "create-group",
  async prepare(scenario) {
    const victim = await scenario.device("founder");
    const friend = await scenario.device("friend");
    return { victim, input: inputOf({ inboxId: friend.client.inboxId }) };
  },
  async run(client, { inboxId }) {
    await client.conversations.createGroup([inboxId], { name: NEW_NAME });
  },
  standing(scenario) {
    const groups = scenario.devices.map(({ client }) => client.conversations.list());
    if (groups.some((list) => list.length > 1)) return "between";
    return standingOf(
      groups.map(([group]) => group?.members().length === 2).concat(groups.map(([group]) => group !== undefined)),
    );
  },
};

export const OPERATIONS: readonly Operation[] = [
  joining(1),
  joining(3),
  joinLosing,
  commitLosing,
  send,
  rename,
  add,
  remove,
  removeAndRenew,
  read,
  welcome,
  inviteChange("invite-create", (group) => group.createInvite(), isNew),
  inviteChange("invite-rotate", (group) => group.rotateInvite(), isNew),
  inviteChange("invite-rotate-slot", (group) => group.rotateInvite({ slot: true }), isNew),
  inviteChange(
    "invite-revoke",
    (group) => group.revokeInvite(),
    (link) => link === undefined,
  ),
  register,
  registerSecond,
  rotateKeyPackage,
  create,
  linkDevice,
  ...RETURN_OPERATIONS,
  ...DEVICE_OPERATIONS,
];

/** The wallet of a device, in whatever process. */
export function signerOf(walletKey: string) {
  return generatedSigner(fromHex(walletKey));
}

/** The operation of that name; throws when there is none. */
export function operationNamed(name: string): Operation {
  const found = OPERATIONS.find((operation) => operation.name === name);
  if (found === undefined) throw new RangeError(`there is no operation ${name}`);
  return found;
}
