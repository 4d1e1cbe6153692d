import type { Clock } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/** What a turn is told by. */
export interface TurnOptions {
  readonly clock: Clock;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** How many came before, as the invite service guesses. */
  readonly ahead: number;
}

/**
 * Waits for one's turn in a crowd that joins one group: each epoch lets in one of them, so those who came first go first,
 * and whoever goes early only makes somebody lose.
 *
 * How many came before is the word of the invite service; from then on the log decides. Each epoch that ends is one who is
 * in. Nothing for a while means that one has gone home, or never was: of those who wait each counts one less then, and all
 * keep their order; and two, four, eight less as long as still nothing happens, so that no number holds anybody up for long.
 */
export class Turn {
  readonly #clock: Clock;
  readonly #random: () => number;
  #ahead: number;

  constructor({ clock, random, ahead }: TurnOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#ahead = Math.min(ahead, CLIENT_LIMITS.maxAhead);
  }

  /** Whether others go first. */
  get mustWait(): boolean {
    return this.#ahead > 0;
  }

  /**
   * Waits until nobody is ahead. `openEpoch` reads the log and says which epoch it has reached; `workMs` is what an
   * attempt took so far, for a machine or a network on which joins take long.
   */
  async wait(openEpoch: () => Promise<bigint>, workMs: number, signal: AbortSignal): Promise<void> {
    const patienceMs = Math.max(CLIENT_LIMITS.turnPatienceMs, 2 * workMs);
    let epoch = await openEpoch();
    let sinceNs = this.#clock.nowNs();
    let gone = 1;
    while (this.mustWait) {
      const { turnPollMs, maxTurnPollMs } = CLIENT_LIMITS;
      const pollMs = Math.min(maxTurnPollMs, turnPollMs * this.#ahead);
      await this.#clock.sleep(pollMs * (0.75 + 0.5 * this.#random()), signal);
      const reached = await openEpoch();
      const nowNs = this.#clock.nowNs();
      if (reached > epoch) {
        this.#ahead -= Math.min(this.#ahead, Number(reached - epoch));
        epoch = reached;
        gone = 1;
      } else if (Number(nowNs - sinceNs) / 1e6 < patienceMs) {
        continue;
      } else {
        this.#ahead -= Math.min(this.#ahead, gone);
        gone *= 2;
      }
      sinceNs = nowNs;
    }
  }
}
