import type { Clock } from "../clock.ts";

/** Nanoseconds by which this machine's clock may be wrong without being told so. */
export const MAX_CLOCK_ERROR_NS = 3_600_000_000_000n;

/**
 * What time it is at the node, at least: the stamps that it gave, and the time that has passed here since they were seen.
 *
 * One false stamp moves nothing: the second highest counts.
 */
export class NodeTime {
  readonly #clock: Clock;
  /** Stamps less the local time at which they were seen, the highest two; each of another stamp. */
  #highest: readonly { readonly stampNs: bigint; readonly offsetNs: bigint }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of a time that the node has given to anything. */
  observe(stampNs: bigint): void {
    const seen = { stampNs, offsetNs: stampNs - this.#elapsedNs() };
    const others = this.#highest.filter((other) => other.stampNs !== stampNs);
    const known = this.#highest.find((other) => other.stampNs === stampNs) ?? seen;
    this.#highest = [...others, known].sort((a, b) => (a.offsetNs > b.offsetNs ? -1 : 1)).slice(0, 2);
  }

  /**
   * The node's clock now, in nanoseconds since 1970, or earlier. Where the node is silent this machine's clock counts, less
   * the error that it may have.
   */
  nowNs(): bigint {
    const offsetNs = this.#highest.at(-1)?.offsetNs;
    const byNode = offsetNs === undefined ? 0n : this.#elapsedNs() + offsetNs;
    const byClock = this.#clock.nowNs() - MAX_CLOCK_ERROR_NS;
    return byNode > byClock ? byNode : byClock;
  }

  /** Nanoseconds by which this machine's clock is ahead of the node's; undefined before the node has told a time. */
  clockErrorNs(): bigint | undefined {
    const offsetNs = this.#highest.at(-1)?.offsetNs;
    return offsetNs === undefined ? undefined : this.#clock.nowNs() - (this.#elapsedNs() + offsetNs);
  }

  #elapsedNs(): bigint {
    return this.#clock.monotonicNs?.() ?? this.#clock.nowNs();
  }
}
