import { setTimeout as wait } from "node:timers/promises";
import type { Attack } from "./attack.ts";
import { connectionAttacks } from "./connection-attacks.ts";
import { Crowd, type CrowdReport } from "./crowd.ts";
import { frameFloods } from "./frame-floods.ts";
import { requestAttacks } from "./request-attacks.ts";
import { Subject } from "./subject.ts";

/** What is promised under every attack: issue and operator's page name the same numbers. */
export const PROMISED = { honestP50Ms: 100, honestP99Ms: 1_000, peakMiB: 1.4 * 1_024 };

/** Milliseconds that an attack gets to end by itself. */
const END_MS = 5_000;

/** How the crowd and the node fared under one attack. */
export interface AttackReport extends CrowdReport {
  readonly name: string;
  readonly peakMiB: number;
  readonly isAlive: boolean;
  readonly held: boolean;
}

/** All attacks, or those whose names contain a text. */
export function attacks(only = ""): Attack[] {
  return [...requestAttacks(), ...connectionAttacks(), ...frameFloods()].filter(({ name }) => name.includes(only));
}

/** Runs one attack for so many milliseconds beside an honest crowd, against a node of its own unless one is given. */
export async function besiege(attack: Attack, ms: number, given?: Subject): Promise<AttackReport> {
  const subject = given ?? (await Subject.start());
  try {
    const crowd = Crowd.gather(subject);
    await wait(ms / 10); // The crowd is there first.
    subject.takePeakMiB();
    const stop = new AbortController();
    const attacked = attack.run(subject, stop.signal);
    await wait(ms);
    stop.abort();
    await Promise.race([attacked, wait(END_MS)]);
    const report = await crowd.disperse();
    const peakMiB = subject.takePeakMiB();
    const { isAlive } = subject;
    const isQuick = report.honestP50Ms < PROMISED.honestP50Ms && report.honestP99Ms < PROMISED.honestP99Ms;
    const isServed = report.honestRefused === 0 && report.steps > report.honestDelayed;
    const held = isAlive && isQuick && isServed && peakMiB > 0 && peakMiB < PROMISED.peakMiB;
    return { name: attack.name, ...report, peakMiB, isAlive, held };
  } finally {
    if (given === undefined) await subject.stop();
  }
}
