import type { SeededRandom } from "../random.ts";
import type { Faults } from "./faults.ts";
import type { IdentityAnswer, World } from "./world.ts";

const SECOND_NS = 1_000_000_000n;

/** What IDN-02 allows an update to be missing for, by the clock of the messages. */
const MAX_LAG_SECONDS = 60;

/** How far the clock of the identity service is from that of the messages. */
const CLOCKS_SECONDS = [-50, 0, 50] as const;

/**
 * A node whose answers about identities are old: each leaves out what was stamped in the last seconds, another number of
 * them each time. Its identity service has a clock of its own, from beginning to end.
 */
export class LaggingNode {
  /** How far the identity service's clock is ahead, in seconds. */
  readonly aheadSeconds: number;
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: SeededRandom;
  readonly #maxLagSeconds: number;
  readonly #tellsItsTime: boolean;

  constructor(world: World, faults: Faults, random: SeededRandom) {
    this.#world = world;
    this.#faults = faults;
    this.#random = random;
    this.aheadSeconds = random.pick(CLOCKS_SECONDS);
    // What is stamped by a clock that is behind is old when it comes: the minute holds for both together.
    this.#maxLagSeconds = MAX_LAG_SECONDS + Math.min(0, this.aheadSeconds);
    this.#tellsItsTime = random.chance(0.5);
    if (faults.troubles.has("lagging-node")) world.identityLenses.add((_, answer) => this.#late(answer));
  }

  #late(answer: IdentityAnswer): IdentityAnswer {
    const { scheduler } = this.#world;
    const lagNs = this.#faults.has("lagging-node") ? BigInt(this.#random.int(this.#maxLagSeconds + 1)) * SECOND_NS : 0n;
    const asOfNs = scheduler.nowNs - lagNs;
    const aheadNs = BigInt(this.aheadSeconds) * SECOND_NS;
    let hidden = 0;
    const logs = answer.map((log) => {
      const shown = log.filter(({ serverTimestampNs }) => serverTimestampNs <= asOfNs);
      hidden += log.length - shown.length;
      return shown.map((entry) => ({ ...entry, serverTimestampNs: entry.serverTimestampNs + aheadNs }));
    });
    if (hidden > 0) this.#faults.count("identities late");
    return Object.assign(logs, { asOfNs: this.#tellsItsTime ? asOfNs + aheadNs : undefined });
  }
}
