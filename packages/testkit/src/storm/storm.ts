import { codeOf } from "@latchkey/client";
import { Crowd, type Person } from "./crowd.ts";

/** How many people scan one poster, and how. */
export interface StormOptions {
  readonly joiners: number;
  /** Installations of each of them. */
  readonly installations: number;
  /** All at the same moment, or each when the one before is in. */
  readonly order: "at-once" | "one-by-one";
  /** Whether every installation reads what the others did and is compared; takes the square of the joiners. */
  readonly catchUp: boolean;
  /** Deadline of each join. */
  readonly timeoutMs?: number;
}

/** What a storm took. */
export interface StormResult {
  readonly joiners: number;
  readonly joined: number;
  /** Whether the admin sees all installations and, with `catchUp`, each of them is in the admin's epoch and history. */
  readonly agree: boolean;
  /** From the first scan until the last join was done. */
  readonly wallMs: number;
  readonly joinsPerSecond: number;
  /** Commits that were sent and lost, per join. */
  readonly wastedPerJoin: number;
  readonly fetchesPerJoin: number;
  readonly bytesPerJoin: number;
  /** How long it took until all of them had read the commits of all others, one after the other. */
  readonly catchUpMs: number;
  /** Codes of the joins that failed, with their number. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Ten minutes: what is measured is how long it takes, not whether it is done within the default of one. */
const DEFAULT_TIMEOUT_MS = 600_000;

async function scan({ scanner }: Person, link: string, timeoutMs: number): Promise<string | undefined> {
  try {
    await scanner.client.conversations.joinByInvite(link, { timeoutMs });
    return undefined;
  } catch (error) {
    return codeOf(error) ?? String(error);
  }
}

/** Lets a crowd join one group by one invite, against a node in a process of its own. */
export async function runStorm(options: StormOptions): Promise<StormResult> {
  const { joiners, installations, order, catchUp, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const crowd = await Crowd.start();
  try {
    const { scanner: admin } = await crowd.person(1);
    const group = await admin.client.conversations.createGroup([], { name: "Poster" });
    const { url } = await group.createInvite();
    const people: Person[] = [];
    for (let index = 0; index < joiners; index++) people.push(await crowd.person(installations));

    const started = performance.now();
    let ends: (string | undefined)[] = [];
    if (order === "at-once") ends = await Promise.all(people.map((person) => scan(person, url, timeoutMs)));
    else for (const person of people) ends.push(await scan(person, url, timeoutMs));
    const wallMs = performance.now() - started;

    const total = { commits: 0, fetches: 0, bytes: 0 };
    for (const { scanner } of people) {
      total.commits += scanner.traffic.commits;
      total.fetches += scanner.traffic.fetches;
      total.bytes += scanner.traffic.bytes;
    }
    const joined = ends.filter((end) => end === undefined).length;
    const failures: Record<string, number> = {};
    for (const end of ends) if (end !== undefined) failures[end] = (failures[end] ?? 0) + 1;
    const caughtUp = performance.now();
    await group.sync();
    const expected = `${group.epoch} ${group.epochAuthenticator} ${group.treeHash}`;
    const leaves = 1 + joined * installations;
    const agree = group.installationCount === leaves && (!catchUp || (await allAgree(people, group.id, expected)));
    return {
      joiners,
      joined,
      agree,
      wallMs,
      joinsPerSecond: joined / (wallMs / 1000),
      wastedPerJoin: (total.commits - joined) / joined,
      fetchesPerJoin: total.fetches / joined,
      bytesPerJoin: total.bytes / joined,
      catchUpMs: performance.now() - caughtUp,
      failures,
    };
  } finally {
    await crowd.stop();
  }
}

/** Every installation, one after the other, reads the rest of the log and tells where it is. */
async function allAgree(people: readonly Person[], groupId: string, expected: string): Promise<boolean> {
  let agree = true;
  for (const { scanner, others } of people) {
    for (const phone of [scanner, ...others]) {
      const group = await phone.sees(groupId);
      const state = group === undefined ? "" : `${group.epoch} ${group.epochAuthenticator} ${group.treeHash}`;
      agree &&= state === expected;
      phone.close();
    }
  }
  return agree;
}
