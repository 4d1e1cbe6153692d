import type { Tampering } from "./device.ts";
import { Device } from "./device.ts";
import { Checks } from "./checks.ts";
import { Expectations } from "./expectations.ts";
import { doSomething, type Scenario, type Tally } from "./actions.ts";
import {
  booksClose,
  converge,
  cursorsMoved,
  letStrangerIn,
  nativeIsInStep,
  LONGEST_WAIT_MS,
  nothingLost,
  removedAreOut,
  removedLearnNoKey,
  startAll,
  talk,
  type Scene,
} from "./final-checks.ts";
import { Faults, troublesOf, type Trouble } from "./faults.ts";
import { Backups } from "./backups.ts";
import { HostileNode, splitView } from "./hostile-node.ts";
import { HostileMember, HostileScanner } from "./hostile-people.ts";
import { LaggingNode } from "./lagging-node.ts";
import { Liar } from "./liar.ts";
import { NativeMember } from "./native-member.ts";
import { PoisonMember } from "./poison-member.ts";
import { Poisoner } from "./poison.ts";
import { Scheduler } from "./scheduler.ts";
import { World } from "./world.ts";

/** Steps after which a run counts as endless; a long one has about 20 000. */
const MAX_STEPS = 200_000;

/** Actions of a run unless told otherwise. */
export const DEFAULT_DEEDS = 100;

/** One simulation. */
export interface SimOptions {
  readonly seed: number;
  /** How much people do while things go wrong. */
  readonly actions?: number;
  /** What goes wrong; default: the seed's own choice. */
  readonly troubles?: readonly Trouble[];
  /** A bug that is planted, to see that it is found. */
  readonly tampering?: Tampering;
}

/** How a simulation went. */
export interface SimResult {
  readonly seed: number;
  readonly actions: number;
  readonly troubles: readonly Trouble[];
  /** What is wrong; undefined when nothing is. */
  readonly problem: string | undefined;
  readonly steps: number;
  readonly traceHash: string;
  readonly trace: readonly string[];
  readonly tally: Tally;
  readonly faults: Readonly<Record<string, number>>;
  readonly epochs: number;
  /** Entries of logs that honest devices refused. */
  readonly refused: number;
}

/** Who takes part: name, owner, whether the device is there from the beginning, and in how many of 100 worlds. */
const CAST = [
  ["ada-1", "ada", true, 100],
  ["ada-2", "ada", false, 50],
  ["bob-1", "bob", true, 100],
  ["cleo-1", "cleo", true, 60],
  ["cleo-2", "cleo", true, 60],
  ["dan-1", "dan", false, 60],
  ["eve-1", "eve", true, 70],
  ["finn-1", "finn", false, 50],
  ["gus-1", "gus", false, 50],
  ["mal-1", "mal", true, 100],
  ["lin-1", "lin", true, 100],
] as const;

/** Owner of the device that runs XMTP's native library. */
const NATIVE_OWNER = "nat";

class Run {
  readonly scheduler: Scheduler;
  readonly world: World;
  readonly faults: Faults;
  readonly claims = new Expectations();
  readonly checks: Checks;
  readonly devices: Device[] = [];
  readonly scenario: Scenario;
  readonly tally: Tally = { actions: 0, messages: 0, commits: 0, joins: 0, failedJoins: 0, endings: {} };
  readonly #actions: number;
  readonly #tampering: Tampering;
  readonly #running = new Set<Promise<unknown>>();
  /** The native member of the second group, and that group's id. */
  #native: { readonly member: NativeMember; readonly groupId: string } | undefined;
  #isOver = false;
  #broken: string | undefined;

  constructor(options: SimOptions, scheduler: Scheduler, troubles: readonly Trouble[]) {
    this.scheduler = scheduler;
    this.#actions = options.actions ?? DEFAULT_DEEDS;
    this.#tampering = options.tampering ?? {};
    this.world = new World(scheduler);
    this.faults = new Faults(scheduler, troubles);
    this.checks = new Checks(this.claims, troubles.includes("split-view"));
    this.world.onMadeUp = (reader) =>
      (this.#broken ??= `${reader} asks about an inbox that only a forbidden message names`);
    new LaggingNode(this.world, this.faults, scheduler.randomFor("lagging node"));
    this.scenario = { scheduler, checks: this.checks, claims: this.claims, devices: this.devices, tally: this.tally };
  }

  newDevice(name: string, owner: string): Device {
    const device = new Device(this.world, this.faults, name, owner, this.#tampering);
    device.onSend = (message) => this.checks.sent(device, message);
    device.onWritten = (written) => this.checks.written(written);
    device.onBroken = ({ name: who }, label, error) => {
      this.#broken ??= `${who} ${label}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
    };
    this.devices.push(device);
    return device;
  }

  /** After each step. */
  look(): void {
    if (this.#broken !== undefined) throw new Error(this.#broken);
    this.checks.look();
  }

  async story(): Promise<void> {
    const groupId = await this.#begin();
    this.faults.begin();
    await this.#trouble(groupId);
    await this.#end(groupId);
  }

  /** In peace: a group with an invite. */
  async #begin(): Promise<string> {
    const { claims, faults } = this;
    const random = this.scheduler.randomFor("cast");
    for (const [name, owner, isEarly, share] of CAST) {
      if (!random.chance(share / 100)) continue;
      const device = this.newDevice(name, owner);
      device.isWanted = isEarly && (owner === "mal" ? this.#hasAny("hostile-member", "poison") : true);
      if (owner === "lin") {
        device.isHostile = true;
        device.isWanted = this.#hasAny("hostile-scanner", "poison", "lagging-node");
      }
      if (device.isWanted) await this.#required(device.start(), `${name} starts`);
    }
    const [ada] = this.devices;
    if (ada === undefined) throw new Error("nobody is there");
    const invited = this.devices.filter(({ owner, isWanted }) => isWanted && (owner === "bob" || owner === "mal"));
    for (const { inboxId } of [ada, ...invited]) if (inboxId !== undefined) claims.added.add(inboxId);
    if (ada.inboxId !== undefined) claims.promoted.add(ada.inboxId);
    claims.names.add("Circle 0");
    const members = invited.flatMap(({ inboxId }) => inboxId ?? []);
    const create = ada.run("creates the group", (client) =>
      client.conversations.createGroup(members, { name: "Circle 0" }),
    );
    const group = await this.#required(create, "the group is created");
    for (const device of invited) await device.run("syncs", (client) => client.conversations.sync());
    const mal = this.#named("mal-1").inboxId;
    if (mal !== undefined && faults.troubles.has("poison") && random.chance(0.5)) {
      claims.promoted.add(mal);
      await this.#required(
        ada.run("promotes a member that will turn", () => group.promote(mal, "admin")),
        "an admin",
      );
    }
    const options = random.chance(0.3) ? { maxUses: 2 } : {};
    const invite = await this.#required(
      ada.run("makes an invite", () => group.createInvite(options)),
      "an invite",
    );
    claims.giveOut(invite.url, group.id);
    if (faults.troubles.has("mixed")) await this.#beginMixed(ada, members);
    return group.id;
  }

  async #endMixed(scene: Scene, { member, groupId }: { member: NativeMember; groupId: string }): Promise<void> {
    const mixed = { ...scene, groupId, otherGroupId: scene.groupId };
    await nativeIsInStep(mixed, member);
    await nothingLost(mixed);
    await removedAreOut(mixed);
  }

  /** A second group, with a member that runs XMTP's native library. */
  async #beginMixed(ada: Device, others: readonly string[]): Promise<void> {
    const { claims } = this;
    const member = new NativeMember(this.newDevice("nat-1", NATIVE_OWNER), this.scenario);
    await member.register();
    const inboxIds = [...others, member.device.inboxId ?? ""];
    for (const inboxId of inboxIds) claims.added.add(inboxId);
    claims.names.add("Mixed circle");
    const create = ada.run("creates the mixed group", (client) =>
      client.conversations.createGroup(inboxIds, { name: "Mixed circle" }),
    );
    const { id: groupId } = await this.#required(create, "the mixed group is created");
    await member.read();
    this.#native = { member, groupId };
  }

  #hasAny(...troubles: readonly Trouble[]): boolean {
    return troubles.some((trouble) => this.faults.troubles.has(trouble));
  }

  async #required<T>(pending: ReturnType<typeof Device.prototype.run<T>>, what: string): Promise<T> {
    const ending = await pending;
    if (ending.kind === "done") return ending.value;
    throw new Error(`${what}: ${ending.kind === "failed" ? ending.error.message : "it died"}`);
  }

  #track(task: Promise<unknown>): void {
    this.#running.add(task);
    void task.finally(() => this.#running.delete(task));
  }

  /** Repeats something at random intervals until the trouble is over. */
  #often(purpose: string, betweenMs: number, act: (random: ReturnType<Scheduler["randomFor"]>) => unknown): void {
    const random = this.scheduler.randomFor(purpose);
    const repeat = async () => {
      for (;;) {
        await this.scheduler.sleep(betweenMs / 4 + random.int(betweenMs * 2));
        if (this.#isOver) return;
        await act(random);
      }
    };
    this.#track(repeat());
  }

  async #trouble(groupId: string): Promise<void> {
    const { faults, world, devices, scheduler } = this;
    // Some worlds are hasty, others leave time between two actions of one person.
    const paceMs = scheduler.randomFor("pace").pick([300, 1_000, 2_500]);
    const honest = devices.filter(({ owner }) => !["mal", "lin", NATIVE_OWNER].includes(owner));
    this.#often("native member", 4_000, () => this.#native?.member.act());
    for (const device of honest) {
      this.#often(`${device.name}/actions`, paceMs, (random) => {
        if (device.client === undefined) return undefined;
        const action = doSomething(this.scenario, device, random);
        this.#track(action);
        return random.chance(0.7) ? action : undefined;
      });
    }
    for (const device of devices.filter(({ owner }) => owner !== NATIVE_OWNER)) {
      const joins = honest.includes(device) && !device.isWanted ? 8 * paceMs : 4_000;
      this.#often(`${device.name}/life`, joins, () => {
        if (honest.includes(device)) device.isWanted = true;
        return device.isWanted && !device.isRunning ? device.start() : undefined;
      });
    }
    this.#often("crashes", 2_000 + 2 * paceMs, (random) => {
      if (faults.has("crashes")) this.#kill(random.pick(devices.filter(({ isRunning }) => isRunning)));
    });
    this.#often("outages", 15_000, (random) => (faults.has("outages") ? this.#outage(random) : undefined));
    const node = new HostileNode(world, faults, scheduler.randomFor("hostile node"));
    this.#often("hostile node", 5_000, () => node.act(groupId));
    const scanner = new HostileScanner(this.#named("lin-1"), this.scenario);
    this.#often("hostile scanner", 8_000, () => scanner.act());
    const member = new HostileMember(this.#named("mal-1"), this.scenario);
    this.#often("hostile member", 8_000, () => member.act());
    const poisoner = new Poisoner(this.#named("lin-1"), this.scenario);
    this.#often("poison", 2_000, () => poisoner.act());
    const poisonMember = new PoisonMember(this.#named("mal-1"), this.scenario);
    this.#often("poison of a member", 6_000, () => poisonMember.act());
    this.#often("clock-steps", 10_000, (random) => this.#setClock(random.pick(devices), random));
    const liar = new Liar(world, faults, scheduler.randomFor("one lie"));
    this.#often("one lie", 8_000, () => liar.act(honest));
    const backups = new Backups(this.checks, faults, scheduler.randomFor("backups"));
    this.#often("backups", 12_000, () => backups.act(honest));
    if (faults.has("split-view")) {
      scheduler.after(20_000, "", () => splitView(world, faults, scheduler.randomFor("split view")));
    }
    while (this.tally.actions < this.#actions) await scheduler.sleep(1_000);
  }

  #named(name: string): Device {
    const device = this.devices.find((candidate) => candidate.name === name);
    if (device === undefined) throw new RangeError(`nobody is called ${name}`);
    return device;
  }

  #kill(device: Device): void {
    this.faults.count("crashes");
    device.kill();
  }

  #setClock(device: Device, random: ReturnType<Scheduler["randomFor"]>): void {
    if (!this.faults.has("clock-steps")) return;
    this.faults.count("clocks set");
    device.skewNs = BigInt(random.int(3_600_000) - 1_800_000) * 1_000_000n;
    this.scheduler.note(`the clock of ${device.name} is ${device.skewNs / 1_000_000n} ms ahead`);
  }

  async #outage(random: ReturnType<Scheduler["randomFor"]>): Promise<void> {
    const { faults, scheduler, world } = this;
    const device = random.chance(0.3) ? undefined : random.pick(this.devices);
    faults.count(device === undefined ? "node restarts" : "devices offline");
    scheduler.note(`${device?.name ?? "the node"} is cut off`);
    if (device === undefined) {
      world.isDown = true;
      await world.restart();
    } else device.isOffline = true;
    await scheduler.sleep(500 + random.int(15_000));
    if (device === undefined) world.isDown = false;
    else device.isOffline = false;
    scheduler.note(`${device?.name ?? "the node"} is back`);
  }

  /** In peace again: everything that was begun ends, and everybody agrees. */
  async #end(groupId: string): Promise<void> {
    const { faults, world, devices, scenario } = this;
    this.#isOver = true;
    faults.calm();
    this.scheduler.note("all trouble is over");
    for (const device of devices) device.isOffline = false;
    const isSplit = faults.troubles.has("split-view");
    if (!isSplit) world.veils.clear();
    while (this.#running.size > 0) await Promise.all(this.#running);
    const newDevice = (name: string) => this.newDevice(name, name.split("-")[0] ?? name);
    const scene: Scene = { scenario, world, groupId, newDevice, otherGroupId: this.#native?.groupId };
    await startAll(scene);
    // Joins that name an update that never comes hold a group up for two minutes, and no longer (IDN-02).
    if (this.#hasAny("poison", "lagging-node", "one-lie")) await this.scheduler.sleep(LONGEST_WAIT_MS);
    if (!isSplit) {
      await converge(scene);
      this.claims.duringTrouble = this.claims.done.length;
      removedLearnNoKey(scene);
      await talk(scene);
      await letStrangerIn(scene);
      await nothingLost(scene);
      await removedAreOut(scene);
      await cursorsMoved(scene);
      if (this.#native !== undefined) await this.#endMixed(scene, this.#native);
    }
    booksClose(scene);
  }
}

/** Plays one seed from beginning to end. */
export async function simulate(options: SimOptions): Promise<SimResult> {
  const { seed, actions = DEFAULT_DEEDS } = options;
  const scheduler = new Scheduler(seed);
  const troubles = options.troubles ?? troublesOf(scheduler.randomFor("troubles"));
  const run = new Run(options, scheduler, troubles);
  let problem: string | undefined;
  try {
    await scheduler.play(run.story(), MAX_STEPS, () => run.look());
  } catch (error) {
    problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    if (error instanceof Error && error.name !== "Violation") problem += `\n${error.stack ?? ""}`;
    for (const device of run.devices) device.kill();
  } finally {
    await run.world.close();
  }
  const { tally, faults, checks } = run;
  const { steps, traceHash, trace } = scheduler;
  const epochs = checks.epochs.size;
  const refused = run.devices.reduce((sum, { disk }) => sum + disk.look().rejections.list().length, 0);
  return { seed, actions, troubles, problem, steps, traceHash, trace, tally, faults: faults.counts, epochs, refused };
}
