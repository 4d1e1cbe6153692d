import { circle, inputOf, isIn, standingOf, syncAll, type Input, type Operation } from "./scene.ts";
import type { Scenario } from "./scenario.ts";

/** A group whose member has a second device in it, which is gone for good. */
async function circleWithLostDevice(scenario: Scenario) {
  const { admin, member, group } = await circle(scenario);
  const lost = await scenario.device("lost", member);
  await syncAll(member, lost, admin);
  const { installationId } = lost.client;
  scenario.observe();
  scenario.devices.splice(scenario.devices.indexOf(lost), 1);
  lost.dispose();
  return { admin, member, group, installationId };
}

/** For the admin and the member whether the member has so many devices in the group. */
function devicesOf(scenario: Scenario, { groupId }: Input, count: number): boolean[] {
  const [admin, member] = scenario.devices;
  return [admin, member].map((device) => {
    const entry = device
      ?.group(groupId)
      ?.members()
      .find(({ inboxId }) => inboxId === member?.client.inboxId);
    return entry?.installations.length === count;
  });
}

/** The sync of a member adds a device that its owner registered. */
const followAdded: Operation = {
  name: "follow-added",
  async prepare(scenario) {
    const { member, group } = await circle(scenario);
    await scenario.device("laptop", member);
    return { victim: member, input: inputOf({ groupId: group.id }) };
  },
  async run(client) {
    await client.conversations.sync();
  },
  standing(scenario, { input }) {
    const [, , laptop] = scenario.devices;
    return standingOf([...devicesOf(scenario, input, 2), laptop !== undefined && isIn(laptop, input)]);
  },
};

/** A person revokes a device, and its groups lose it. */
const revoke: Operation = {
  name: "device-revoke",
  async prepare(scenario) {
    const { member, group, installationId } = await circleWithLostDevice(scenario);
    return { victim: member, input: inputOf({ groupId: group.id, link: installationId }) };
  },
  async run(client, { link: installationId }) {
    await client.revokeInstallations([installationId]);
    await client.conversations.sync();
  },
  standing: (scenario, { input }) => standingOf(devicesOf(scenario, input, 1)),
  async proof(_, { victim, input }) {
    const state = await victim.client.inboxState();
    if (state.installations.some(({ id }) => id === input.link))
      throw new Error("the identity log has the device still");
  },
};

/** Devices come and go with the identity log of their owner. */
export const DEVICE_OPERATIONS: readonly Operation[] = [followAdded, revoke];
