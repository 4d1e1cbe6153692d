import type { Client, Group } from "@latchkey/client";
import type { Device, Scenario } from "./scenario.ts";

/** What an operation works on, in a form that can be handed to another process. */
export interface Input {
  readonly groupId: string;
  readonly link: string;
  readonly inboxId: string;
  /** In hex: somebody else's commit that comes first when the victim sends its own; empty for none. */
  readonly rival: string;
}

/** How the world stands, seen by everybody: nobody sees the operation, or everybody sees it exactly once. */
export type Standing = "before" | "after" | "between";

/** Who does it, and on what. */
export interface Scene {
  readonly victim: Device;
  readonly input: Input;
}

/** One operation of a client that can be interrupted. */
export interface Operation {
  readonly name: string;
  /** The operation is the first opening of the installation. */
  readonly opens?: boolean;
  /** Another commit comes first: the operation may fail, and what was on its way may be given up, for a repetition. */
  readonly loses?: boolean;
  prepare(scenario: Scenario): Promise<Scene>;
  run(client: Client, input: Input): Promise<void>;
  standing(scenario: Scenario, scene: Scene): Standing;
  /** What has to work once the operation is done, beyond what `standing` sees; throws when it does not. */
  proof?(scenario: Scenario, scene: Scene): Promise<void>;
}

/** `between` when some see it and some do not. */
export function standingOf(sights: readonly boolean[]): Standing {
  if (sights.every((seen) => seen)) return "after";
  return sights.some((seen) => seen) ? "between" : "before";
}

/** Synchronizes one device after the other. */
export async function syncAll(...devices: Device[]): Promise<void> {
  for (const { client } of devices) await client.conversations.sync();
}

/** An admin and a member in a group. */
export async function circle(scenario: Scenario): Promise<{ admin: Device; member: Device; group: Group }> {
  const admin = await scenario.device("admin");
  const member = await scenario.device("member");
  const group = await admin.client.conversations.createGroup([member.client.inboxId], { name: "Reading circle" });
  await syncAll(member);
  return { admin, member, group };
}

/** An input with nothing in it but what is given. */
export function inputOf(input: Partial<Input>): Input {
  return { groupId: "", link: "", inboxId: "", rival: "", ...input };
}

/** The group that an operation works on; throws when the client does not have it. */
export function groupIn(client: Client, { groupId }: Input): Group {
  const group = client.conversations.get(groupId);
  if (group === undefined) throw new Error("the group is not there");
  return group;
}

/** For each device that has the group whether it shows it so. */
export function sights(scenario: Scenario, { groupId }: Input, look: (group: Group) => boolean): boolean[] {
  return scenario.devices.flatMap((device) => {
    const group = device.group(groupId);
    return group?.isActive === true ? [look(group)] : [];
  });
}

/** Whether a device is in the group that an operation works on. */
export function isIn(device: Device, { groupId }: Input): boolean {
  return device.group(groupId)?.isActive === true;
}
