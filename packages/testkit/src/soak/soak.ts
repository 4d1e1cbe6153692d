import { codeOf, isRetryable } from "@latchkey/client";
import { bytesInUse } from "../bytes-in-use.ts";
import { seededRandom, type SeededRandom } from "../random.ts";
import { Crowd, type Phone } from "../storm/crowd.ts";
import { ACTIONS, type Action, type Scene } from "./actions.ts";

/** How long, with how many, and which dice. */
export interface SoakOptions {
  readonly clients: number;
  readonly seed: number;
  /** Asked before every round. */
  readonly goesOn: (round: number) => boolean;
}

/** What is held in memory and on disk. */
export interface Footprint {
  readonly rssBytes: number;
  /** Heap and buffers after garbage collection. */
  readonly inUseBytes: number;
  readonly clientDatabaseBytes: number;
  readonly nodeDatabaseBytes: number;
}

/** What a soak has come to; `agree` and an empty `failures` are what it is for. */
export interface SoakResult {
  readonly seed: number;
  readonly rounds: number;
  readonly actions: Readonly<Record<string, number>>;
  /** Errors that say that others came first, or that somebody is no member any more: they belong to the bustle. */
  readonly refusals: Readonly<Record<string, number>>;
  /** All other errors, by action, code and text. */
  readonly failures: Readonly<Record<string, number>>;
  readonly members: number;
  /** Whether all members are in one epoch with one tree, and each acknowledged message is there exactly once. */
  readonly agree: boolean;
  readonly start: Footprint;
  readonly end: Footprint;
}

/** What may happen to anybody where several people act at once. */
const BUSTLE: ReadonlySet<string> = new Set(["NOT_A_MEMBER", "ALREADY_MEMBER", "INVITE_ROTATED"]);

/** Things done at the same moment. */
const AT_ONCE = 3;

class Tally {
  readonly actions: Record<string, number> = {};
  readonly refusals: Record<string, number> = {};
  readonly failures: Record<string, number> = {};

  static count(in_: Record<string, number>, name: string): void {
    in_[name] = (in_[name] ?? 0) + 1;
  }

  async run(name: string, act: () => Promise<void>): Promise<void> {
    Tally.count(this.actions, name);
    try {
      await act();
    } catch (error) {
      const code = codeOf(error) ?? String(error);
      if (isRetryable(error) || BUSTLE.has(code)) Tally.count(this.refusals, code);
      else Tally.count(this.failures, `${name}: ${error instanceof Error ? `${code} ${error.message}` : code}`);
    }
  }
}

function footprintOf(crowd: Crowd): Footprint {
  const inUse = bytesInUse();
  const { rss } = process.memoryUsage();
  const { clients, node } = crowd.databaseBytes();
  return { rssBytes: rss, inUseBytes: inUse, clientDatabaseBytes: clients, nodeDatabaseBytes: node };
}

/** Lets clients do at random what clients do, some at the same moment, against a node of its own; then compares them. */
export async function runSoak({ clients, seed, goesOn }: SoakOptions): Promise<SoakResult> {
  const crowd = await Crowd.start();
  try {
    const scene = await setScene(crowd, clients);
    const dice = seededRandom(seed);
    const tally = new Tally();
    const start = footprintOf(crowd);
    let rounds = 0;
    for (; goesOn(rounds); rounds++) {
      const actors = new Map<Phone, readonly [string, Action]>();
      for (let index = 0; index < AT_ONCE; index++) actors.set(dice.pick(scene.people), pickAction(dice));
      const run = ([phone, [name, action]]: readonly [Phone, readonly [string, Action]], index: number) =>
        tally.run(name, () => action(scene, phone, rounds * AT_ONCE + index));
      // The founder acts for others as well, and so restarts when they are done.
      const isLast = ([phone, [name]]: readonly [Phone, readonly [string, Action]]) =>
        phone === scene.founder && name === "restart";
      const acts = [...actors];
      await Promise.all(acts.filter((act) => !isLast(act)).map(run));
      for (const act of acts.filter(isLast)) await run(act, AT_ONCE);
    }
    const { members, agree } = await compare(scene);
    const { actions, refusals, failures } = tally;
    return { seed, rounds, actions, refusals, failures, members, agree, start, end: footprintOf(crowd) };
  } finally {
    await crowd.stop();
  }
}

async function setScene(crowd: Crowd, clients: number): Promise<Scene> {
  const people: Phone[] = [];
  for (let index = 0; index < clients; index++) people.push((await crowd.person(1)).scanner);
  const [founder] = people;
  if (founder === undefined) throw new RangeError("a soak has at least one client");
  const group = await founder.client.conversations.createGroup([], { name: "Soak" });
  const { url } = await group.createInvite();
  return { groupId: group.id, founder, people, sent: new Set(), link: url };
}

function pickAction(dice: SeededRandom): readonly [string, Action] {
  let left = dice.int(ACTIONS.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [name, weight, action] of ACTIONS) {
    left -= weight;
    if (left < 0) return [name, action];
  }
  throw new RangeError("the dice fell off the table");
}

/** Everybody catches up and is compared with the founder, who has seen everything. */
async function compare({ people, founder, groupId, sent }: Scene): Promise<{ members: number; agree: boolean }> {
  // Twice: reading may leave something to write, which the others read in the second turn.
  for (const phone of [...people, ...people]) await phone.client.conversations.sync();
  const views = people.flatMap((phone) => {
    const group = phone.client.conversations.get(groupId);
    return group?.isActive === true ? [group] : [];
  });
  const states = new Set(views.map((group) => `${group.epoch} ${group.epochAuthenticator} ${group.treeHash}`));
  const own = founder.client.conversations.get(groupId);
  const texts = (own?.messages() ?? []).map(({ text }) => text);
  const once = [...sent].every((text) => texts.filter((found) => found === text).length === 1);
  return { members: views.length, agree: states.size === 1 && views.length === own?.members().length && once };
}
