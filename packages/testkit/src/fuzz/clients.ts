import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodeMlsMessage, encodeMlsMessage, fromHex, LatchkeyError, toHex } from "@latchkey/mls";
import { parseInviteUrl } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import type { Client, Group } from "@latchkey/client";
import { seededRandom, type SeededRandom } from "../random.ts";
import { Checks } from "../sim/checks.ts";
import { Expectations } from "../sim/expectations.ts";
import type { Scenario } from "../sim/actions.ts";
import { Device } from "../sim/device.ts";
import { Faults } from "../sim/faults.ts";
import { PoisonMember } from "../sim/poison-member.ts";
import { Poisoner } from "../sim/poison.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { World, type IdentityAnswer, type Lens } from "../sim/world.ts";
import { EDGES, mutateBytes, mutateValue } from "./mutate.ts";

/** Inputs between two looks at whether everybody goes on. */
const BATCH = 8;

/** Batches from one stranger who joins to the next. */
const BATCHES_PER_JOIN = 3;

/** The two minutes of IDN-02, and ten seconds in which what came last is read. */
const LONGEST_WAIT_MS = 130_000;

/** A run ends before: its log is bounded by time, not by steps. */
const MAX_STEPS = 100_000_000;

/** Somebody honest did not go on after a batch. */
export interface ClientsFinding {
  readonly seed: number;
  /** From 0. */
  readonly batch: number;
  /** What the batch put in, in its order. */
  readonly how: readonly string[];
  readonly problem: string;
}

/** What came of a run. */
export interface ClientsReport {
  readonly seed: number;
  readonly inputs: number;
  readonly batches: number;
  readonly joins: number;
  readonly findings: readonly ClientsFinding[];
}

class Stopped extends Error {}

/**
 * Three honest people in two groups, a member that turned, a stranger with the link, and a node that puts into logs what
 * it likes. Whatever lies in a log, a slot, a Welcome topic or an identity log, all three go on.
 */
class SmallWorld {
  readonly scheduler: Scheduler;
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: SeededRandom;
  readonly #devices: Device[] = [];
  readonly #claims = new Expectations();
  readonly #scenario: Scenario;
  #broken: string | undefined;
  #texts = 0;
  joins = 0;

  constructor(seed: number) {
    this.scheduler = new Scheduler(seed);
    this.#world = new World(this.scheduler);
    this.#faults = new Faults(this.scheduler, ["poison"]);
    this.#random = seededRandom(seed);
    const checks = new Checks(this.#claims, true);
    const tally = { actions: 0, messages: 0, commits: 0, joins: 0, failedJoins: 0, endings: {} };
    const { scheduler } = this;
    this.#scenario = { scheduler, checks, claims: this.#claims, devices: this.#devices, tally };
  }

  close(): Promise<void> {
    for (const device of this.#devices) device.kill();
    return this.#world.close();
  }

  #device(name: string): Device {
    const device = new Device(this.#world, this.#faults, name, name, {});
    device.isWanted = true;
    device.onBroken = (_, label, error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#broken ??= `${name} ${label}: no error of the family: ${text}`;
    };
    this.#devices.push(device);
    return device;
  }

  get #honest(): readonly Device[] {
    return this.#devices.filter(({ isHostile, isRunning }) => !isHostile && isRunning);
  }

  /** Has a device do something that has to work. */
  async #must<T>(device: Device, label: string, task: (client: Client) => Promise<T>): Promise<T> {
    const ending = await device.run(label, task);
    if (this.#broken !== undefined) throw new Stopped(this.#broken);
    if (ending.kind === "done") return ending.value;
    const why = ending.kind === "failed" ? `${ending.code}: ${ending.error.message}` : ending.kind;
    throw new Stopped(`${device.name} ${label}, and it ended with ${why}`);
  }

  async #begin(device: Device): Promise<void> {
    const ending = await device.start();
    if (ending.kind !== "done") throw new Stopped(`${device.name} does not start: ${ending.kind}`);
  }

  /** Founds the groups, and plays batches until `isOver`. */
  async play(isOver: (inputs: number) => boolean, onBatch: (how: readonly string[]) => void): Promise<void> {
    const [ada, bob, cleo, mal, lin] = ["ada", "bob", "cleo", "mal", "lin"].map((name) => this.#device(name));
    if (ada === undefined || bob === undefined || cleo === undefined || mal === undefined || lin === undefined) return;
    for (const device of this.#devices) await this.#begin(device);
    const ids = (devices: readonly Device[]) => devices.flatMap(({ inboxId }) => inboxId ?? []);
    const first = await this.#must(ada, "founds a group", (client) =>
      client.conversations.createGroup(ids([bob, cleo, mal])),
    );
    const second = await this.#must(ada, "founds another group", (client) =>
      client.conversations.createGroup(ids([bob, cleo])),
    );
    for (const device of [bob, cleo, mal]) await this.#must(device, "syncs", (client) => client.conversations.sync());
    const { url } = await this.#must(ada, "makes an invite", () => first.createInvite());
    this.#claims.giveOut(url, first.id);
    for (const device of [mal, lin]) device.isHostile = true;
    this.#faults.begin();
    const stranger = new Poisoner(lin, this.#scenario, { garbles: false });
    const member = new PoisonMember(mal, this.#scenario);
    let inputs = 0;
    for (let batch = 1; !isOver(inputs); batch++) {
      const how: string[] = [];
      onBatch(how);
      for (let input = 0; input < BATCH; input++, inputs++) {
        how.push(await this.#put([first.id, second.id], url, { stranger, member }));
      }
      await this.#goOn([first.id, second.id]);
      if (batch % BATCHES_PER_JOIN === 0) await this.#letStrangerIn(ada, first, batch);
    }
  }

  /** Puts one input somewhere; returns what it is. */
  async #put(
    groupIds: readonly [string, string],
    url: string,
    { stranger, member }: { readonly stranger: Poisoner; readonly member: PoisonMember },
  ): Promise<string> {
    switch (this.#random.int(8)) {
      case 0:
        await stranger.act();
        return "poison of a stranger";
      case 1:
        await member.act();
        return "poison of a member";
      case 2:
        return this.#putBlob(url);
      case 3:
        return this.#falsifyIdentities();
      default:
        return this.#putEnvelope(groupIds);
    }
  }

  /** A genuine message with some of its fields changed, repeated, left out or exchanged, in a log of its own or another. */
  async #putEnvelope(groupIds: readonly [string, string]): Promise<string> {
    const random = this.#random;
    const [from, to] = [random.pick(groupIds), random.pick(groupIds)];
    const log = await this.#world.log(fromHex(from));
    const { data } = random.pick(log);
    const other = random.pick(log).data;
    const { bytes, how } = changed(data, other, random, fromHex(to));
    await this.#world.inject(fromHex(to), bytes);
    return `an envelope: ${how}`;
  }

  async #putBlob(url: string): Promise<string> {
    const { externalGroupId } = parseInviteUrl(url);
    const slot = { serviceUrl: "", externalGroupId };
    const { blobs } = await this.#world.slot(slot, false);
    if (blobs.length === 0) return "no blob";
    const { bytes, how } = mutateBytes(this.#random.pick(blobs), this.#random, this.#random.pick(blobs));
    await this.#world.uploadBlob(slot, bytes).catch(() => false);
    return `a blob: ${how}`;
  }

  /** The next answer about identities to somebody has updates whose content is damaged. */
  #falsifyIdentities(): string {
    const random = this.#random;
    const reader = random.pick(this.#honest).name;
    const lens: Lens<IdentityAnswer> = (asking, answer) => {
      if (asking !== reader) return answer;
      this.#world.identityLenses.delete(lens);
      const logs = answer.map((entries) =>
        entries.map((entry) => ({ ...entry, update: damagedUpdate(entry.update, random) })),
      );
      return Object.assign(logs, { asOfNs: answer.asOfNs });
    };
    this.#world.identityLenses.add(lens);
    return `identity logs of ${reader}`;
  }

  /** After two minutes every honest client reads, speaks in both groups, and hears the others. */
  async #goOn(groupIds: readonly string[]): Promise<void> {
    await this.scheduler.sleep(LONGEST_WAIT_MS);
    this.#world.identityLenses.clear();
    await this.#readAll();
    await this.#chooseHistories();
    for (const groupId of groupIds) {
      const said: string[] = [];
      for (const device of this.#honest) {
        const text = `${device.name} says ${++this.#texts}`;
        said.push(text);
        await this.#must(device, "speaks", () => groupOf(device, groupId).send(text));
      }
      const last = (await this.#world.log(fromHex(groupId))).at(-1)?.id ?? 0n;
      await this.#readAll();
      for (const device of this.#honest) {
        const group = groupOf(device, groupId);
        const heard = new Set(group.messages().map(({ text }) => text));
        const missing = said.filter((text) => !heard.has(text));
        if (missing.length > 0) throw new Stopped(`${device.name} does not hear "${missing.join('", "')}"`);
        const cursor = device.disk.look().groups.get(fromHex(groupId))?.cursor ?? 0n;
        if (cursor < last) throw new Stopped(`${device.name} has read up to ${cursor} of a log of ${last}`);
      }
    }
  }

  async #readAll(): Promise<void> {
    for (const device of this.#honest) await this.#must(device, "syncs", (client) => client.conversations.sync());
  }

  /** Where nothing says which of two groups of one id is the right one, people do. */
  async #chooseHistories(): Promise<void> {
    const hostile = new Set(this.#devices.filter(({ isHostile }) => isHostile).map(({ inboxId }) => inboxId));
    for (const device of this.#honest) {
      const conflicts = await this.#must(device, "looks", (client) => client.conversations.conflicts());
      for (const { claims } of conflicts) {
        const own = claims.find(({ signer }) => signer === undefined || !hostile.has(signer));
        if (own === undefined || own.isProven) continue;
        await this.#must(device, "chooses", (client) => client.conversations.choose(own.id));
      }
    }
  }

  /** A stranger gets in by the invite, after a member has looked after it, is heard, and goes. */
  async #letStrangerIn(admin: Device, group: Group, batch: number): Promise<void> {
    await this.#must(admin, "looks after the invite", () => group.refreshInvite({ deep: true }));
    const { invite } = group;
    if (invite === undefined) throw new Stopped("the invite is gone");
    const joiner = this.#device(`zoe-${batch}`);
    await this.#begin(joiner);
    await this.#must(joiner, "joins", (client) => client.conversations.joinByInvite(invite.url));
    this.joins++;
    await this.#readAll();
    if (groupOf(joiner, group.id).epochAuthenticator !== group.epochAuthenticator) {
      throw new Stopped(`${joiner.name} is in another state than ${admin.name}`);
    }
    await this.#must(joiner, "speaks", () => groupOf(joiner, group.id).send("hello"));
    joiner.kill();
    await this.#must(admin, "removes the stranger", () => group.removeMembers([joiner.inboxId ?? ""]));
  }
}

function groupOf(device: Device, groupId: string): Group {
  const group = device.group(groupId);
  if (group === undefined) throw new Stopped(`${device.name} has lost a group`);
  return group;
}

/** A message changed in its decoded form, and blindly where that has none. */
function changed(data: Uint8Array, other: Uint8Array, random: SeededRandom, groupId: Uint8Array) {
  const blind = () => mutateBytes(data, random, other);
  if (random.chance(0.2)) return blind();
  try {
    const decoded = decodeMlsMessage(data);
    if (decoded.wireFormat === "private_message" && random.chance(0.4)) {
      // As from the other group, or another epoch.
      const epoch = random.chance(0.5) ? decoded.message.epoch : BigInt(random.pick(EDGES));
      const message = { ...decoded.message, groupId, epoch };
      return { bytes: encodeMlsMessage({ ...decoded, message }), how: `as of ${toHex(groupId).slice(0, 4)}/${epoch}` };
    }
    const { value, how } = mutateValue(decoded, random);
    return { bytes: encodeMlsMessage(value), how };
  } catch (error) {
    if (error instanceof LatchkeyError || error instanceof RangeError || error instanceof TypeError) return blind();
    throw error;
  }
}

function damagedUpdate(update: IdentityAnswer[number][number]["update"], random: SeededRandom) {
  const bytes = toBinary(IdentityUpdateSchema, update);
  try {
    return fromBinary(IdentityUpdateSchema, mutateBytes(bytes, random, bytes).bytes);
  } catch {
    return create(IdentityUpdateSchema);
  }
}

/**
 * Plays batches of hostile input against running clients until `isOver` (asked with the number of inputs so far), or until
 * somebody honest does not go on. Equal seeds make equal inputs; time is virtual.
 */
export async function fuzzClients(seed: number, isOver: (inputs: number) => boolean): Promise<ClientsReport> {
  const world = new SmallWorld(seed);
  const batches: (readonly string[])[] = [];
  const findings: ClientsFinding[] = [];
  const story = world.play(isOver, (how) => batches.push(how));
  try {
    await world.scheduler.play(story, MAX_STEPS, () => undefined);
  } catch (error) {
    const problem =
      error instanceof Stopped
        ? error.message
        : error instanceof Error
          ? (error.stack ?? error.message)
          : String(error);
    findings.push({ seed, batch: batches.length - 1, how: batches.at(-1) ?? [], problem });
  } finally {
    await world.close();
  }
  const inputs = batches.reduce((sum, how) => sum + how.length, 0);
  return { seed, inputs, batches: batches.length, joins: world.joins, findings };
}
