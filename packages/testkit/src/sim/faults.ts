import type { SeededRandom } from "../random.ts";
import type { Scheduler } from "./scheduler.ts";

/** Kinds of trouble that a run may have; each seed takes its own choice of them. */
export const TROUBLES = [
  /** Requests and answers are lost, repeated, and come late. */
  "network",
  /** Devices and the whole node are without network for a while. */
  "outages",
  /** Programs die, at any moment, also around a transaction. */
  "crashes",
  /** Disks are full for a moment. */
  "full-disks",
  /** The node withholds, repeats and invents messages. */
  "hostile-node",
  /** Somebody who holds the link and never joins fairly. */
  "hostile-scanner",
  /** A member that turns. */
  "hostile-member",
  /** The node shows two histories, for good. */
  "split-view",
  /** A stranger, a holder of the link, a member and an admin send whatever others read, with any field at its border. */
  "poison",
  /** Clocks of devices are set forward and back by up to half an hour. */
  "clock-steps",
  /** Answers about identities are up to a minute old, by a clock of their own; ids come late or never. */
  "lagging-node",
  /** The node gives a few wrong answers, each once. */
  "one-lie",
  /** The database of a device is put back to an older copy. */
  "restored-disk",
  /** A second group has a member that judges commits as XMTP's native library does. */
  "mixed",
] as const;

export type Trouble = (typeof TROUBLES)[number];

/** How often each kind is in a seed's choice. */
const SHARE: Readonly<Record<Trouble, number>> = {
  network: 0.8,
  outages: 0.4,
  crashes: 0.75,
  "full-disks": 0.4,
  "hostile-node": 0.4,
  "hostile-scanner": 0.5,
  "hostile-member": 0.5,
  "split-view": 0.1,
  poison: 0.4,
  "clock-steps": 0.3,
  "lagging-node": 0.3,
  "one-lie": 0.25,
  "restored-disk": 0.25,
  mixed: 0.5,
};

/** A node that withholds logs keeps a restored device from learning which keys it has used: nobody could. */
const WITHHOLDING: readonly Trouble[] = ["hostile-node", "split-view"];

/**
 * Troubles that part members of XMTP's native library by its own rules: it refuses a missing identity update at first sight,
 * and follows commits of a hostile member that ours refuse.
 */
const PARTING_NATIVES: readonly Trouble[] = [
  "hostile-node",
  "hostile-member",
  "split-view",
  "poison",
  "lagging-node",
  "one-lie",
];

/** The troubles of a seed. */
export function troublesOf(random: SeededRandom): Trouble[] {
  const drawn = TROUBLES.filter((trouble) => random.chance(SHARE[trouble]));
  const withholds = drawn.some((trouble) => WITHHOLDING.includes(trouble));
  const partsNatives = drawn.some((trouble) => PARTING_NATIVES.includes(trouble));
  return drawn.filter((trouble) => {
    if (trouble === "restored-disk") return !withholds;
    return trouble !== "mixed" || !partsNatives;
  });
}

/** What becomes of one request. */
export interface RequestFate {
  /** Milliseconds until it arrives; undefined when it never does. */
  readonly arrivesAfterMs: number | undefined;
  /** Milliseconds until its answer is back; undefined when it is lost. */
  readonly answerAfterMs: number | undefined;
  /** Milliseconds until the same request arrives once more. */
  readonly againAfterMs: number | undefined;
}

/** What becomes of a transaction. */
export type TransactionFate = "kept" | "full" | "die-before" | "die-after";

/** Everything that goes wrong by chance; after `calm` nothing does. */
export class Faults {
  readonly troubles: ReadonlySet<Trouble>;
  /** How often each thing has gone wrong. */
  readonly counts: Record<string, number> = {};
  #isCalm = true;
  readonly #network: SeededRandom;
  readonly #disk: SeededRandom;

  constructor(scheduler: Scheduler, troubles: readonly Trouble[]) {
    this.troubles = new Set(troubles);
    this.#network = scheduler.randomFor("network");
    this.#disk = scheduler.randomFor("disk");
  }

  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** From here on things go wrong. */
  begin(): void {
    this.#isCalm = false;
  }

  /** From here on nothing does. */
  calm(): void {
    this.#isCalm = true;
  }

  has(trouble: Trouble): boolean {
    return !this.#isCalm && this.troubles.has(trouble);
  }

  count(fault: string): void {
    this.counts[fault] = (this.counts[fault] ?? 0) + 1;
  }

  ofRequest(): RequestFate {
    const random = this.#network;
    const way = () => 1 + random.int(40) + (this.has("network") && random.chance(0.05) ? random.int(3_000) : 0);
    const fate: RequestFate = { arrivesAfterMs: way(), answerAfterMs: way(), againAfterMs: undefined };
    if (!this.has("network")) return fate;
    const drawn = random.int(100);
    if (drawn < 2) return (this.count("requests lost"), { ...fate, arrivesAfterMs: undefined });
    if (drawn < 4) return (this.count("answers lost"), { ...fate, answerAfterMs: undefined });
    if (drawn < 7) return (this.count("requests repeated"), { ...fate, againAfterMs: 20 + random.int(20_000) });
    if (drawn < 8) {
      this.count("requests late");
      return { ...fate, arrivesAfterMs: 16_000 + random.int(30_000), answerAfterMs: undefined };
    }
    return fate;
  }

  ofTransaction(): TransactionFate {
    const random = this.#disk;
    if (this.has("full-disks") && random.chance(0.01)) return (this.count("disks full"), "full");
    if (this.has("crashes") && random.chance(0.006)) {
      this.count("crashes at a transaction");
      return random.chance(0.5) ? "die-before" : "die-after";
    }
    return "kept";
  }
}
