import type { Client, Group, Invite } from "@latchkey/client";
import type { SeededRandom } from "../random.ts";
import type { Checks } from "./checks.ts";
import type { Expectations, Link } from "./expectations.ts";
import type { Device, Outcome } from "./device.ts";
import type { Scheduler } from "./scheduler.ts";

/** What people do in a run, and how it ended. */
export interface Tally {
  actions: number;
  messages: number;
  commits: number;
  joins: number;
  failedJoins: number;
  /** Code → how often a call ended with it. */
  readonly endings: Record<string, number>;
}

/** What the actions need of the run. */
export interface Scenario {
  readonly scheduler: Scheduler;
  readonly checks: Checks;
  readonly claims: Expectations;
  readonly devices: readonly Device[];
  readonly tally: Tally;
}

type Action = (scenario: Scenario, device: Device, random: SeededRandom) => Promise<unknown>;

function count(scenario: Scenario, ending: Outcome<unknown>): void {
  const { endings } = scenario.tally;
  const how = ending.kind === "failed" ? ending.code : ending.kind;
  endings[how] = (endings[how] ?? 0) + 1;
}

function activeGroup(client: Client, random: SeededRandom): Group | undefined {
  const active = client.conversations.list().filter(({ isActive }) => isActive);
  return active.length === 0 ? undefined : random.pick(active);
}

/** Something done in one of the device's groups. */
function inGroup(
  act: (scenario: Scenario, device: Device, random: SeededRandom, group: Group) => Promise<unknown>,
): Action {
  return async (scenario, device, random) => {
    const group = device.client === undefined ? undefined : activeGroup(device.client, random);
    if (group !== undefined) await act(scenario, device, random, group);
  };
}

/** Sends a text that nobody else sends. */
export async function say(scenario: Scenario, device: Device, group: Group): Promise<void> {
  const { claims, tally } = scenario;
  const inboxId = device.client?.inboxId ?? "";
  const text = `${device.name} says ${claims.texts.size + 1}`;
  claims.texts.set(text, { inboxId, installationId: device.client?.installationId ?? "" });
  const ending = await device.run(`sends "${text}"`, () => group.send(text));
  count(scenario, ending);
  if (ending.kind === "failed" && ending.code === "GROUP_PARTED" && device.harm === undefined) {
    device.onBroken(device, "sends", new Error("a member that nobody harmed cannot send"));
  }
  if (ending.kind !== "done") return;
  tally.messages++;
  claims.acknowledge({ kind: "sent", device: device.name, groupId: group.id, id: ending.value.sequenceId, text });
}

/** Gives the group a name that it never had. */
export async function rename(scenario: Scenario, device: Device, group: Group): Promise<void> {
  const { claims } = scenario;
  const name = `Circle ${claims.names.size + 1}`;
  claims.names.add(name);
  const ending = await device.run(`renames to "${name}"`, () => group.updateName(name));
  committed(scenario, ending, () =>
    claims.acknowledge({ kind: "named", device: device.name, groupId: group.id, name }),
  );
}

function committed(scenario: Scenario, ending: Outcome<unknown>, acknowledge: () => void): void {
  count(scenario, ending);
  if (ending.kind !== "done") return;
  scenario.tally.commits++;
  acknowledge();
}

async function add(scenario: Scenario, device: Device, random: SeededRandom, group: Group): Promise<void> {
  const present = new Set(group.members().map(({ inboxId }) => inboxId));
  const known = scenario.devices.flatMap(({ owner, inboxId }) => (owner === "lin" ? [] : (inboxId ?? [])));
  const absent = [...new Set(known)].filter((inboxId) => !present.has(inboxId));
  if (absent.length === 0) return;
  const inboxId = random.pick(absent);
  const stranger = scenario.devices.find(({ owner }) => owner === "lin")?.inboxId;
  if (stranger === undefined || present.has(stranger) || !random.chance(0.5))
    return addInbox(scenario, device, group, inboxId);
  await addBeside(scenario, device, group, inboxId, stranger);
}

/** Adds somebody together with a stranger, whose key package may be of no use: that keeps nobody else out. */
async function addBeside(
  scenario: Scenario,
  device: Device,
  group: Group,
  inboxId: string,
  stranger: string,
): Promise<void> {
  for (const id of [inboxId, stranger]) scenario.claims.added.add(id);
  const ending = await device.run("adds two", () => group.addMembers([inboxId, stranger]));
  committed(scenario, ending, () => undefined);
  // A node whose answers are old does not know the stranger yet: then the call names an inbox that is none.
  if (ending.kind !== "failed" || ending.error.scope === "availability" || ending.code === "INBOX_UNKNOWN") return;
  const alone = await device.run("adds one of them", () => group.addMembers([inboxId]));
  committed(scenario, alone, () => undefined);
  if (alone.kind !== "done") return;
  device.onBroken(device, "adds two", new Error("a key package of no use kept somebody else out"));
}

async function addInbox(scenario: Scenario, device: Device, group: Group, inboxId: string): Promise<void> {
  const { claims } = scenario;
  claims.added.add(inboxId);
  const ending = await device.run("adds somebody", () => group.addMembers([inboxId]));
  committed(scenario, ending, () =>
    claims.acknowledge({ kind: "added", device: device.name, groupId: group.id, inboxId }),
  );
}

async function remove(scenario: Scenario, device: Device, random: SeededRandom, group: Group): Promise<void> {
  const { claims } = scenario;
  const mine = device.client?.inboxId;
  const others = group.members().filter(({ inboxId, permission }) => inboxId !== mine && permission === "member");
  if (others.length === 0) return;
  const { inboxId } = random.pick(others);
  // Who may not yet may be promoted before the commit is made.
  claims.removed.add(inboxId);
  const rotateInvite = random.pick(["key", "slot", false, false] as const);
  const ending = await device.run("removes somebody", () => group.removeMembers([inboxId], { rotateInvite }));
  committed(scenario, ending, () => {
    claims.acknowledge({ kind: "removed", device: device.name, groupId: group.id, inboxId });
    const invite = ending.kind === "done" ? ending.value.invite : undefined;
    if (rotateInvite !== false && invite !== undefined) claims.giveOut(invite.url, group.id);
  });
  // Whoever is taken back at once reads of both together.
  if (ending.kind === "done" && random.chance(0.3)) await addInbox(scenario, device, group, inboxId);
}

async function changeInvite(scenario: Scenario, device: Device, random: SeededRandom, group: Group): Promise<void> {
  const { claims, scheduler } = scenario;
  const choice = random.int(10);
  const day = 86_400_000_000_000n;
  const options = {
    ...(random.chance(0.3) ? { maxUses: 1 + random.int(3) } : {}),
    // Some end while joins are on their way.
    ...(random.chance(0.3) ? { expiresAtNs: scheduler.nowNs + random.pick([day, day / 4_320n]) } : {}),
    ...(random.chance(0.2) ? { staleAfterNs: day / 24n } : {}),
  };
  if (choice === 0) {
    committed(scenario, await device.run("revokes the invite", () => group.revokeInvite()), () => undefined);
    return;
  }
  const make = (): Promise<Invite> => {
    if (choice < 6) return group.createInvite(options);
    return group.rotateInvite({ slot: choice < 8 });
  };
  const ending = await device.run(choice < 6 ? "makes an invite" : "rotates the invite", make);
  committed(scenario, ending, () => {
    if (ending.kind === "done") claims.giveOut(ending.value.url, group.id);
  });
}

/** Scans a link, the newest or one that lies around. */
async function scan(scenario: Scenario, device: Device, random: SeededRandom): Promise<void> {
  const { links } = scenario.claims;
  const link = random.chance(0.8) ? links.at(-1) : links[random.int(links.length)];
  // Whoever is in scans a code only now and then, by mistake.
  if (link !== undefined && device.group(link.groupId)?.isActive === true && random.chance(0.97)) return;
  if (link !== undefined) await join(scenario, device, link, random.chance(0.2) ? random.int(20_000) : undefined);
}

/** Joins by a link; `abortAfterMs` has the person think better of it. */
export async function join(scenario: Scenario, device: Device, link: Link, abortAfterMs?: number): Promise<boolean> {
  const { checks, claims, tally, scheduler } = scenario;
  const { client } = device;
  if (client === undefined) return false;
  claims.scanned.add(client.inboxId);
  const isOver = checks.isOver(link);
  const wasOver = isOver && client.conversations.listPendingJoins().length === 0;
  const wasIn = device.group(link.groupId)?.isActive === true;
  const stop = new AbortController();
  if (abortAfterMs !== undefined)
    scheduler.after(abortAfterMs, `${device.name} thinks better of it`, () => stop.abort());
  const task = () => client.conversations.joinByInvite(link.url, { signal: stop.signal });
  const ending = await device.run(`scans ${isOver ? "an old link" : "a link"}`, task);
  count(scenario, ending);
  if (ending.kind !== "done") {
    tally.failedJoins++;
    return false;
  }
  // What a device that is astray does with invites nobody else may know of.
  const isKnown = !scenario.devices.some(({ isAstray }) => isAstray);
  if (wasOver && !wasIn && isKnown)
    device.onBroken(device, "joined by a link that was over", new Error("an old link let in"));
  tally.joins++;
  claims.acknowledge({ kind: "joined", device: device.name, groupId: ending.value.group.id });
  return true;
}

async function preview(scenario: Scenario, device: Device): Promise<void> {
  const link = scenario.claims.links.at(-1);
  if (link === undefined || device.group(link.groupId)?.isActive === true) return;
  count(scenario, await device.run("looks at an invite", (client) => client.conversations.previewInvite(link.url)));
}

async function stream(scenario: Scenario, device: Device, random: SeededRandom, group: Group): Promise<void> {
  const stop = new AbortController();
  scenario.scheduler.after(1_000 + random.int(60_000), "", () => stop.abort());
  const listen = async () => {
    let heard = 0n;
    for await (const { sequenceId } of group.stream({ signal: stop.signal })) {
      if (sequenceId <= heard) throw new Error("a stream told a message twice, or out of order");
      heard = sequenceId;
    }
  };
  count(scenario, await device.run("listens", listen));
}

async function lookAfterInvites(scenario: Scenario, device: Device, random: SeededRandom): Promise<void> {
  const stop = new AbortController();
  scenario.scheduler.after(1_000 + random.int(60_000), "", () => stop.abort());
  const options = { signal: stop.signal, intervalMs: 10_000, deepEvery: 2 };
  count(scenario, await device.run("looks after invites", (client) => client.keepInvitesFresh(options)));
}

async function promote(scenario: Scenario, device: Device, random: SeededRandom, group: Group): Promise<void> {
  const members = group.members().filter(({ permission }) => permission === "member");
  const trusted = members.filter(({ inboxId }) => !isHostile(scenario, inboxId));
  if (trusted.length === 0 || device.owner !== "ada") return;
  const { inboxId } = random.pick(trusted);
  scenario.claims.promoted.add(inboxId);
  committed(scenario, await device.run("promotes somebody", () => group.promote(inboxId, "admin")), () => undefined);
}

function isHostile({ devices }: Scenario, inboxId: string): boolean {
  return devices.some((device) => device.owner === "mal" && device.inboxId === inboxId);
}

/** Asks to be taken out, which a super admin's client does by itself. */
async function leave(scenario: Scenario, device: Device, group: Group): Promise<void> {
  if (device.client !== undefined) scenario.claims.removed.add(device.client.inboxId);
  count(scenario, await device.run("asks to leave", () => group.leave()));
}

async function rotateKeys(scenario: Scenario, device: Device, group: Group): Promise<void> {
  committed(scenario, await device.run("rotates its keys", () => group.rotateKeys()), () => undefined);
}

async function sync(scenario: Scenario, device: Device): Promise<void> {
  const ending = await device.run("syncs", (client) => client.conversations.sync());
  count(scenario, ending);
  if (ending.kind === "done") scenario.checks.noteWaits(device, scenario.scheduler.nowMs);
}

/** Actions with their weights. */
const DEEDS: readonly (readonly [number, Action])[] = [
  [7, inGroup((scenario, device, _, group) => say(scenario, device, group))],
  [5, sync],
  [3, inGroup((scenario, device, _, group) => rename(scenario, device, group))],
  [2, inGroup(add)],
  [3, inGroup(remove)],
  [2, inGroup(changeInvite)],
  [9, scan],
  [1, preview],
  [1, inGroup(stream)],
  [1, lookAfterInvites],
  [1, inGroup(promote)],
  [1, inGroup((scenario, device, _, group) => leave(scenario, device, group))],
  [1, inGroup((scenario, device, _, group) => rotateKeys(scenario, device, group))],
  [
    1,
    inGroup(async (scenario, device, _, group) =>
      committed(
        scenario,
        await device.run("follows installations", () => group.updateInstallations()),
        () => undefined,
      ),
    ),
  ],
  [
    1,
    inGroup(async (scenario, device, random, group) =>
      count(
        scenario,
        await device.run("refreshes the invite", () => group.refreshInvite({ deep: random.chance(0.5) })),
      ),
    ),
  ],
];

const TOTAL_WEIGHT = DEEDS.reduce((sum, [weight]) => sum + weight, 0);

/** Something that this device may do now. */
export async function doSomething(scenario: Scenario, device: Device, random: SeededRandom): Promise<void> {
  scenario.tally.actions++;
  let left = random.int(TOTAL_WEIGHT);
  const chosen = DEEDS.find(([weight]) => (left -= weight) < 0);
  await chosen?.[1](scenario, device, random);
}
