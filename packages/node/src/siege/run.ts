import { setTimeout as wait } from "node:timers/promises";
import type { Order } from "./attacker.ts";
import type { CrowdReport } from "./crowd.ts";
import { Forked } from "./forked.ts";
import type { Subject } from "./subject.ts";

/** What is promised under every attack: issue and operator's page name the same numbers. */
export const PROMISED = { honestP50Ms: 100, honestP99Ms: 1_000, peakMiB: 1.4 * 1_024 };

/** How the crowd and the node fared under one attack. */
export interface AttackReport extends CrowdReport {
  readonly name: string;
  readonly peakMiB: number;
  /** The most work that the node did without a turn of its event loop, in milliseconds of processor time. */
  readonly loopMs: number;
  /** How the node's process ended; empty while it lives. */
  readonly end: string;
  readonly held: boolean;
}

/** Attackers and an honest crowd, each in a process of its own. */
export class Siege {
  readonly #attacker: Forked;
  readonly #crowd: Forked;

  private constructor(attacker: Forked, crowd: Forked) {
    this.#attacker = attacker;
    this.#crowd = crowd;
  }

  static async start(): Promise<Siege> {
    const scripts = ["./attacker.ts", "./crowd-process.ts"].map((path) => new URL(path, import.meta.url));
    const [attacker, crowd] = await Promise.all(scripts.map((script) => Forked.start(script)));
    if (attacker === undefined || crowd === undefined) throw new Error("a process of the siege did not start");
    return new Siege(attacker, crowd);
  }

  /** Attacks a node for so many milliseconds, beside the crowd. */
  async attack(name: string, subject: Subject, ms: number): Promise<AttackReport> {
    await this.#order({ prepare: name });
    await this.#crowd.ask(subject.url);
    await wait(ms / 10); // The crowd is there first.
    subject.takePeakMiB();
    await subject.takeLoopMs();
    await this.#order({ url: subject.url });
    await wait(ms);
    const report = (await this.#crowd.ask(null)) as CrowdReport;
    const loopMs = await subject.takeLoopMs();
    await this.#order("end");
    const peakMiB = subject.takePeakMiB();
    const { isAlive, end } = subject;
    const isQuick = report.honestP50Ms < PROMISED.honestP50Ms && report.honestP99Ms < PROMISED.honestP99Ms;
    const isServed = report.honestRefused === 0 && report.steps > report.honestDelayed;
    const held = isAlive && isQuick && isServed && peakMiB > 0 && peakMiB < PROMISED.peakMiB;
    return { name, ...report, peakMiB, loopMs, end, held };
  }

  async stop(): Promise<void> {
    await Promise.all([this.#attacker.kill(), this.#crowd.kill()]);
  }

  async #order(order: Order): Promise<void> {
    await this.#attacker.ask(order);
  }
}
