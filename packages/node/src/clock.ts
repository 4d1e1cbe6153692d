/** The two clocks of a machine, in nanoseconds. */
export interface Clocks {
  /** Since 1970; an operator or a time service may set it at any moment. */
  wallNs(): bigint;
  /** Since any moment; it never goes back. */
  monotonicNs(): bigint;
}

/** The clocks of this machine. */
export const SYSTEM_CLOCKS: Clocks = {
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicNs: () => process.hrtime.bigint(),
};

/** Nanoseconds that the stamps follow the wall clock at once when it is set forward: one step. */
const MAX_STEP_NS = 60_000_000_000n;

/**
 * The clock that a node stamps by: it never goes back, over all logs, and it never stands still.
 *
 * It follows the wall clock. Set forward, by at most 60 s for each minute that passes; set back, by running at half speed.
 * A wall clock that is wrong for a moment therefore moves the stamps by 60 s at most.
 */
export class StampClock {
  readonly #clocks: Clocks;
  #monotonicNs: bigint;
  #nowNs: bigint;
  /** Nanoseconds by which the stamps may still be set forward. */
  #stepNs = MAX_STEP_NS;

  /** Starts at the wall clock, but behind `lastStampNs`, the newest stamp that was given before. */
  constructor(clocks: Clocks, lastStampNs: bigint) {
    this.#clocks = clocks;
    this.#monotonicNs = clocks.monotonicNs();
    const wallNs = clocks.wallNs();
    this.#nowNs = wallNs > lastStampNs ? wallNs : lastStampNs + 1n;
  }

  /** Nanoseconds since 1970, never less than before. */
  nowNs(): bigint {
    const monotonicNs = this.#clocks.monotonicNs();
    const passedNs = monotonicNs > this.#monotonicNs ? monotonicNs - this.#monotonicNs : 0n;
    this.#monotonicNs += passedNs;
    const allowedNs = this.#stepNs + passedNs;
    this.#stepNs = allowedNs < MAX_STEP_NS ? allowedNs : MAX_STEP_NS;
    const behindNs = this.#clocks.wallNs() - (this.#nowNs + passedNs);
    const followedNs = behindNs > 0n ? smaller(behindNs, this.#stepNs) : -smaller(-behindNs, passedNs / 2n);
    if (followedNs > 0n) this.#stepNs -= followedNs;
    this.#nowNs += passedNs + followedNs;
    return this.#nowNs;
  }

  /** Nanoseconds by which the stamps are ahead of the wall clock, negative when they are behind it. */
  offsetNs(): bigint {
    return this.nowNs() - this.#clocks.wallNs();
  }
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
