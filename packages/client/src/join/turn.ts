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
 * The number of those ahead is the word of the service, so it decides about one wait of at most `maxTurnMs`; from then on
 * the log decides: each epoch that ended meanwhile is one who is in, and tells how long a join takes. A log that stands
 * still ends the waiting: whoever was ahead has gone home, or never was.
 */
export class Turn {
  readonly #options: TurnOptions;
  #ahead: number;
  #turnMs: number = CLIENT_LIMITS.joinTurnMs;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#ahead = options.ahead;
  }

  /** Whether others go first. */
  get mustWait(): boolean {
    return this.#ahead > 0;
  }

  /** Waits once; `openEpoch` reads the log and says which epoch it has reached. */
  async wait(openEpoch: () => Promise<bigint>, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const before = await openEpoch();
    const sinceNs = clock.nowNs();
    const untilTurnMs = this.#ahead * this.#turnMs;
    // A little spread, for those who were told the same number.
    await clock.sleep(Math.min(CLIENT_LIMITS.maxTurnMs, untilTurnMs) * (0.8 + 0.4 * random()), signal);
    const moved = Number((await openEpoch()) - before);
    if (moved <= 0) {
      this.#ahead = 0;
      return;
    }
    this.#turnMs = Number(clock.nowNs() - sinceNs) / 1e6 / moved;
    this.#ahead = Math.max(0, this.#ahead - moved);
  }
}
