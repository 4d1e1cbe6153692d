import { peekMlsMessage, toHex, fromHex } from "@latchkey/mls";
import type { Client, Group } from "@latchkey/client";
import { contradictions, hasIntent, loadGroup } from "../crash/store-state.ts";
import type { Tenure } from "./checks.ts";
import { Violation, type EpochView } from "./epoch-view.ts";
import { join, rename, say, type Scenario } from "./actions.ts";
import type { Device } from "./device.ts";
import type { NativeMember } from "./native-member.ts";
import type { World } from "./world.ts";

/** Rounds in which everybody reads, until all have to agree. */
const MAX_ROUNDS = 12;

/** The two minutes of IDN-02, and ten seconds in which what came last is read. */
export const LONGEST_WAIT_MS = 130_000;

/** Rounds after which those are helped who have not come back by themselves. */
const ROUNDS_OF_PATIENCE = 4;

/** From one such round to the next, in milliseconds: joins that wait are looked after every few minutes. */
const ROUND_MS = 60_000;

/** After which a parted device asks again to be added. */
const DAY_MS = 86_400_000;

/** What the end of a run needs beyond the scenario. */
export interface Scene {
  readonly scenario: Scenario;
  readonly world: World;
  readonly groupId: string;
  /** Of a second group beside that one. */
  readonly otherGroupId?: string | undefined;
  readonly newDevice: (name: string) => Device;
}

function fail(text: string): never {
  throw new Violation(text);
}

function honest({ devices }: Scenario): Device[] {
  return devices.filter((device) => device.isWanted && !device.isHostile);
}

/** Has a device do something that has to work now. */
async function mustWork<T>(device: Device, label: string, task: (client: Client) => Promise<T>): Promise<T> {
  const ending = await device.run(label, task);
  if (ending.kind === "done") return ending.value;
  return fail(`${device.name} ${label}, without any trouble, and it ended with ${describe(ending)}`);
}

function describe(ending: { readonly kind: string; readonly error?: Error }): string {
  const causes: string[] = [];
  for (let error: unknown = ending.error; error instanceof Error; error = error.cause) causes.push(error.message);
  return causes.length === 0 ? ending.kind : causes.join("; because ");
}

/** Everybody starts again who should be running. */
export async function startAll({ scenario }: Scene): Promise<void> {
  for (const device of scenario.devices.filter(({ isWanted }) => isWanted)) {
    if (device.isRunning) continue;
    const found = contradictions(device.disk.look());
    if (found.length > 0) fail(`the disk of ${device.name} contradicts itself: ${found.join(", ")}`);
    const ending = await device.start();
    if (ending.kind !== "done") fail(`${device.name} does not start any more: ${describe(ending)}`);
  }
}

/** Devices that were harmed, know it, and have no way back while no super admin is whole. */
function stranded(scene: Scene): Set<Device> {
  const { scenario, groupId } = scene;
  if (honest(scenario).some((device) => isWhole(scene, device) && isSuperAdmin(scene, device))) return new Set();
  const parted = (device: Device) => knowsThatItIsParted(device.group(groupId)) || hasLostWelcome(scene, device);
  return new Set(honest(scenario).filter(parted));
}

function isSuperAdmin({ scenario, groupId }: Scene, { inboxId }: Device): boolean {
  return scenario.checks.newest(groupId)?.state.superAdmins.has(inboxId ?? "") === true;
}

/** In the newest epoch, as far as it knows. */
function isWhole({ scenario, groupId }: Scene, device: Device): boolean {
  const group = device.group(groupId);
  if (group?.isActive !== true || group.status === "parted") return false;
  return group.epochAuthenticator === scenario.checks.newest(groupId)?.authenticator;
}

/** Whether a device can say that it may not follow the group. */
function knowsThatItIsParted(group: Group | undefined): boolean {
  return group !== undefined && (group.status === "parted" || group.hints().length > 0);
}

/** The Welcome was for a key package that the copy of its database does not have: nothing tells it so. */
function hasLostWelcome({ groupId }: Scene, device: Device): boolean {
  return device.harm === "restored" && device.group(groupId)?.isActive !== true;
}

/** What keeps a device from being at rest in the newest epoch; undefined for nothing. */
function unrest(
  { scenario, groupId }: Scene,
  device: Device,
  newest: EpochView,
  hasAdmin: boolean,
): string | undefined {
  const group = device.group(groupId);
  const isListed = newest.installations.has(device.installationId ?? "");
  // It cannot read of its removal, and knows that it has missed something.
  if (!isListed && knowsThatItIsParted(group)) return undefined;
  const store = device.disk.look();
  if (hasIntent(store)) return "something is on its way";
  // A slot that somebody has closed who is astray now takes no blob; those are given up later.
  const isHarmed = scenario.devices.some(({ harm }) => harm !== undefined);
  if (store.followUps.list().some(({ kind }) => !isHarmed || kind !== "refresh")) return "something is left to do";
  const leavers = store.leaveRequests.list(fromHex(groupId)).filter(({ inboxId }) => newest.state.members.has(inboxId));
  if (leavers.length > 0 && hasAdmin) return "somebody waits to be let go";
  if (group?.isActive !== true) return isListed ? "it is in the group and does not know" : undefined;
  // A hostile member has invited it to a group of its own under this id, and nobody else has spoken there.
  if (!isListed && device.isAstray && group.status === "pending") return undefined;
  if (!isListed) return "it believes to be in the group";
  if (group.epochAuthenticator === newest.authenticator) return undefined;
  return `it is in epoch ${group.epoch}, the newest of ${scenario.devices.length} devices is ${newest.epoch}`;
}

/** People say which of two groups of one id is theirs, where nothing in them says it: the one that no stranger made. */
async function chooseHistories({ scenario }: Scene): Promise<void> {
  const strangers = new Set(scenario.devices.filter(({ isHostile }) => isHostile).map(({ inboxId }) => inboxId));
  for (const device of honest(scenario)) {
    if (device.histories().length === 0) continue;
    for (const { groupId, claims } of await mustWork(device, "looks for conflicts", (client) =>
      client.conversations.conflicts(),
    )) {
      // Somebody who joined after this device was removed may have added it again.
      const isOver = device.group(groupId)?.isActive !== true;
      const own = claims.find(
        ({ signer, isShown }) => !(isShown && isOver) && (signer === undefined || !strangers.has(signer)),
      );
      if (own === undefined || (own.isShown && own.isProven)) continue;
      await mustWork(device, "chooses its group", (client) => client.conversations.choose(own.id));
    }
  }
}

/** A super admin takes those out and adds them again who know that they are parted and did not come back by themselves. */
async function bringBack(scene: Scene, newest: EpochView): Promise<void> {
  const { scenario, groupId } = scene;
  const admin = honest(scenario).find((device) => isWhole(scene, device) && isSuperAdmin(scene, device));
  const group = admin?.group(groupId);
  if (admin === undefined || group === undefined) return;
  const parted = honest(scenario).filter((device) => {
    const isListed = newest.installations.has(device.installationId ?? "");
    return (
      isListed &&
      !isWhole(scene, device) &&
      (knowsThatItIsParted(device.group(groupId)) || hasLostWelcome(scene, device))
    );
  });
  const inboxIds = [...new Set(parted.flatMap(({ inboxId }) => inboxId ?? []))];
  for (const inboxId of inboxIds.filter((id) => id !== admin.inboxId)) {
    scenario.claims.removed.add(inboxId);
    scenario.claims.added.add(inboxId);
    await mustWork(admin, "removes somebody parted", () => group.removeMembers([inboxId]));
    await mustWork(admin, "adds somebody parted", () => group.addMembers([inboxId]));
  }
}

/** Whether a parted device belongs to a super admin whose other device is in the group. */
function hasPartedSibling(scene: Scene): boolean {
  const { scenario, groupId } = scene;
  const admins = honest(scenario).filter((device) => isWhole(scene, device) && isSuperAdmin(scene, device));
  return honest(scenario).some(
    (device) => knowsThatItIsParted(device.group(groupId)) && admins.some(({ inboxId }) => inboxId === device.inboxId),
  );
}

/** Where every honest device of the newest epoch is astray, the group goes on with those that are not parted and agree. */
function followTheLast({ scenario, groupId }: Scene): void {
  const installations = scenario.checks.newest(groupId)?.installations;
  const listed = honest(scenario).filter(({ installationId }) => installations?.has(installationId ?? ""));
  const left = listed.filter((device) => {
    const group = device.group(groupId);
    return group?.isActive === true && group.status !== "parted";
  });
  const states = new Set(left.map((device) => device.group(groupId)?.epochAuthenticator));
  if (states.size === 1 && listed.every(({ isAstray }) => isAstray)) scenario.checks.follow(groupId, left);
}

/** All read until all are at rest in one epoch; throws what keeps them from it. */
export async function converge(scene: Scene): Promise<void> {
  const { scenario, groupId } = scene;
  let left: string[] = [];
  await chooseHistories(scene);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const failures = new Map<Device, string>();
    for (const device of honest(scenario)) {
      const ending = await device.run("syncs", (client) => client.conversations.sync());
      if (ending.kind !== "done") failures.set(device, describe(ending));
    }
    followTheLast(scene);
    const newest = scenario.checks.newest(groupId) ?? fail("nobody has seen the group");
    if (round % ROUNDS_OF_PATIENCE === ROUNDS_OF_PATIENCE - 1) {
      await chooseHistories(scene);
      await bringBack(scene, newest);
    }
    const lost = stranded(scene);
    left = honest(scenario).flatMap((device) => {
      const reason = lost.has(device) ? undefined : unrest(scene, device, newest, lost.size === 0);
      return reason === undefined ? [] : [`${device.name}: ${reason} ${failures.get(device) ?? ""}`];
    });
    if (left.length === 0) {
      for (const device of honest(scenario)) device.isBack ||= isWhole(scene, device);
      return;
    }
    // Nobody can remove their own inbox to bring a device back: that one asks again, once a day.
    const asksAgain = round % ROUNDS_OF_PATIENCE === ROUNDS_OF_PATIENCE - 1 && hasPartedSibling(scene);
    await scenario.scheduler.sleep(asksAgain ? DAY_MS : ROUND_MS);
  }
  fail(`after ${MAX_ROUNDS} rounds without trouble they do not agree: ${left.join("; ")}`);
}

function isPending(device: Device, groupId: string): boolean {
  return device.group(groupId)?.status === "pending";
}

/** Everybody who is in says something, and everybody reads it once. */
export async function talk(scene: Scene): Promise<void> {
  const { scenario, groupId } = scene;
  const inGroup = () => honest(scenario).filter((device) => isWhole(scene, device));
  // Who came back waits for the word of another one before it changes anything.
  const [first] = inGroup().sort((one, other) => Number(isPending(one, groupId)) - Number(isPending(other, groupId)));
  if (first !== undefined) await rename(scenario, first, first.group(groupId) ?? fail("no group"));
  await converge(scene);
  const present = inGroup();
  const before = scenario.claims.done.length;
  for (const device of present) await say(scenario, device, device.group(groupId) ?? fail("no group"));
  if (scenario.claims.done.length - before !== present.length) fail("somebody cannot send, without any trouble");
  await converge(scene);
}

/** Everybody in the group of a native member reads it to the end, and its state is theirs. */
export async function nativeIsInStep({ scenario, groupId }: Scene, member: NativeMember): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const device of honest(scenario)) await mustWork(device, "syncs", (client) => client.conversations.sync());
    await member.read();
  }
  const newest = scenario.checks.newest(groupId);
  const isListed = newest?.installations.has(member.device.installationId ?? "") === true;
  const expected = isListed ? newest.authenticator : undefined;
  if (member.epochAuthenticator === expected) return;
  const refusal = member.lastRefusal ?? "nothing";
  fail(`the native member is not in epoch ${newest?.epoch ?? 0n} of its group; it refused ${refusal}`);
}

/** A stranger gets in by the invite in force, after a member has looked after it. */
export async function letStrangerIn(scene: Scene): Promise<void> {
  const { scenario, groupId } = scene;
  const admin = honest(scenario).find((device) => device.owner === "ada" && isWhole(scene, device));
  const group = admin?.group(groupId);
  if (admin === undefined || group === undefined) return;
  const invite =
    group.invite === undefined
      ? await mustWork(admin, "makes the last invite", () => group.createInvite())
      : await mustWork(admin, "refreshes the invite", async () => {
          await group.refreshInvite({ deep: true });
          return group.invite ?? fail("no invite after a refresh");
        });
  const policy = scenario.checks.newest(groupId)?.state.policy;
  const isLimited = policy !== undefined && (policy.maxUses > 0 || policy.expiresAtNs > 0n);
  const { url } = isLimited ? await mustWork(admin, "makes another invite", () => group.createInvite()) : invite;
  const stranger = scene.newDevice("zoe-1");
  stranger.isWanted = true;
  const ending = await stranger.start();
  if (ending.kind !== "done") fail(`the stranger cannot register: ${describe(ending)}`);
  if (!(await join(scenario, stranger, { url, groupId }))) fail("the invite lets nobody in, without any trouble");
  await converge(scene);
}

function isWithin({ afterId, untilId }: Tenure, id: bigint): boolean {
  return id > afterId && (untilId === undefined || id <= untilId);
}

/** Nothing that was acknowledged is missing. */
export async function nothingLost({ scenario, world, groupId }: Scene): Promise<void> {
  const { claims, checks, devices } = scenario;
  const log = await world.log(fromHex(groupId));
  const epochOf = new Map(log.map(({ id, data }) => [id, headerEpoch(data)]));
  const history = checks.history(groupId);
  const tenuresOf = (name: string) => (checks.tenures.get(name) ?? []).filter((tenure) => tenure.groupId === groupId);
  const harmed = new Set(devices.filter(({ harm }) => harm !== undefined).map(({ name }) => name));
  for (const [index, claim] of claims.done.entries()) {
    const duringTrouble = index < claims.duringTrouble;
    if (claim.groupId !== groupId) continue;
    if (duringTrouble && harmed.has(claim.device)) continue;
    if (claim.kind === "named" && !history.some(({ state }) => state.name === claim.name)) {
      fail(`a name that was acknowledged to ${claim.device} was never there`);
    }
    if (claim.kind === "added" && !history.some(({ state }) => state.members.has(claim.inboxId))) {
      fail(`a member whose adding was acknowledged to ${claim.device} was never there`);
    }
    if (claim.kind === "joined" && tenuresOf(claim.device).length === 0) {
      fail(`${claim.device} was told that it had joined and never was in`);
    }
    if (claim.kind !== "sent") continue;
    const epoch = epochOf.get(claim.id) ?? fail("a message that was acknowledged is not in the log");
    // Sent while the log waited for an identity update, behind a removal that was not read yet: it fails with NOT_A_MEMBER.
    const own = tenuresOf(claim.device).findLast(({ afterId }) => afterId < claim.id);
    if (own?.untilId !== undefined && own.untilId < claim.id) continue;
    for (const device of devices.filter(({ isHostile, isWanted }) => isWanted && !isHostile)) {
      if (device.isAstray || (duringTrouble && harmed.has(device.name))) continue;
      const reads = tenuresOf(device.name).some((tenure) => isWithin(tenure, claim.id) && epoch >= tenure.fromEpoch);
      // After a return from a removal the messages before it are in an entry of their own.
      const isRead = device.histories().some((group) => group.messages().some(({ text }) => text === claim.text));
      if (reads && !isRead) fail(`${device.name} never reads what ${claim.device} was told is sent: "${claim.text}"`);
    }
  }
}

function headerEpoch(data: Uint8Array): bigint {
  try {
    return peekMlsMessage(data).epoch ?? -1n;
  } catch {
    return -1n;
  }
}

/** Those who were removed read nothing that came later, and nothing they said later was accepted. */
export async function removedAreOut({ scenario, world, groupId, otherGroupId }: Scene): Promise<void> {
  const { checks, devices } = scenario;
  const log = await world.log(fromHex(groupId));
  for (const device of devices.filter(({ harm }) => harm === undefined)) {
    const store = device.disk.look();
    const record = store.groups.get(fromHex(groupId));
    const mls = record?.active === 0n ? loadGroup(store, fromHex(groupId)) : undefined;
    if (mls === undefined || record === undefined) continue;
    for (const { id, data } of log.filter((envelope) => envelope.id > record.cursor)) {
      if (headerEpoch(data) <= mls.epoch) continue;
      const received = await mls.verify(data).catch(() => undefined);
      if (received?.kind === "application") fail(`${device.name} was removed and can read message ${id}`);
    }
  }
  const history = checks.history(groupId);
  for (const device of devices.filter(({ isHostile, harm }) => !isHostile && harm === undefined)) {
    // An archived history has an id of its own, which says nothing about its group.
    const ofGroup = device.histories().filter(({ id }) => id === groupId || otherGroupId === undefined);
    for (const message of ofGroup.flatMap((group) => group.messages())) {
      const inForce = history.findLast(({ beganAt }) => beganAt < message.sequenceId);
      if (inForce === undefined || inForce.installations.has(message.senderInstallationId)) continue;
      fail(`${device.name} accepted message ${message.sequenceId} of somebody who was not in epoch ${inForce.epoch}`);
    }
  }
}

/** Every honest device has read everything that lies in the log of the group, and among its Welcomes. */
export async function cursorsMoved(scene: Scene): Promise<void> {
  const { scenario, world, groupId } = scene;
  const last = (await world.log(fromHex(groupId))).at(-1)?.id ?? 0n;
  for (const device of honest(scenario)) {
    await device.run("syncs", (client) => client.conversations.sync());
  }
  // Who learns what time it is at the node from this reading alone waits from here on.
  await scenario.scheduler.sleep(LONGEST_WAIT_MS);
  for (const device of honest(scenario)) {
    await device.run("syncs", (client) => client.conversations.sync());
    const store = device.disk.look();
    const { cursor, active } = store.groups.get(fromHex(groupId)) ?? {};
    if (active === 1n && (cursor ?? 0n) < last) fail(`${device.name} has read up to ${cursor} of a log of ${last}`);
    const { welcomeCursor = 0n } = store.identity.get("self") ?? {};
    const topic = fromHex(device.installationId ?? "");
    const { items } = await world.transport.queryWelcomeMessages({ topic, afterId: welcomeCursor });
    if (items.length > 0) fail(`${device.name} has not passed ${items.length} Welcomes`);
  }
}

/** No epoch that began by a removal has an invite key that is new: the removed decrypt the commit that brought it. */
export function removedLearnNoKey({ scenario, groupId }: Scene): void {
  const keyOf = ({ state }: EpochView) => toHex(state.policy?.symmetricKey?.material ?? new Uint8Array(0));
  const history = scenario.checks.history(groupId);
  for (const [index, view] of history.entries()) {
    const before = history[index - 1];
    if (before?.epoch !== view.epoch - 1n || keyOf(view) === "" || keyOf(view) === keyOf(before)) continue;
    const removed = [...before.installations].filter((id) => !view.installations.has(id));
    if (removed.length > 0) fail(`${removed.length} devices that left epoch ${before.epoch} learn the next invite key`);
  }
}

/** Every disk is sound, no key was used twice. */
export function booksClose({ scenario }: Scene): void {
  const { checks, devices } = scenario;
  for (const device of devices.filter(({ isHostile }) => !isHostile)) {
    const found = contradictions(device.disk.look());
    if (found.length > 0) fail(`the disk of ${device.name} contradicts itself: ${found.join(", ")}`);
  }
  const { reused, unread, spent } = checks.ledger.audit();
  if (reused.length > 0) fail(`message keys were used twice: ${reused.join(", ")}`);
  if (unread > 0) fail(`${unread} of ${spent} messages belong to epochs that nobody knows`);
}

/** The hash that all members of a group agree on at the end, or nothing where there is no one history. */
export function lastAuthenticator({ scenario, groupId }: Scene): string {
  return scenario.checks.newest(groupId)?.authenticator ?? toHex(new Uint8Array(0));
}
