import type { Clock } from "../clock.ts";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/** Nanoseconds by which this machine's clock may be wrong without being told so. */
export const MAX_CLOCK_ERROR_NS = 3_600_000_000_000n;

/** Readings of the node's clock of which the middle one counts. */
export const MAX_READINGS = 3;

/**
 * What time it is at the node, at least: the stamps that it gave, and the time that has passed here since they were seen.
 *
 * One false stamp moves nothing: the second highest counts.
 */
export class NodeTime {
  readonly #clock: Clock;
  /** Stamps less the local time at which they were seen, the highest two; each of another stamp. */
  #highest: readonly { readonly stampNs: bigint; readonly offsetNs: bigint }[] = [];

  /** The last readings of the node's clock, as differences like those above, newest first. */
  #readings: readonly bigint[] = [];

  /** Local times at which stamps were seen first, oldest first. */
  readonly #seen = new Map<bigint, bigint>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of a time that the node has given to anything. */
  observe(stampNs: bigint): void {
    if (!this.#seen.has(stampNs)) this.#seen.set(stampNs, this.#elapsedNs());
    for (const [oldest] of this.#seen) {
      if (this.#seen.size <= CLIENT_LIMITS.maxNodeStamps) break;
      this.#seen.delete(oldest);
    }
    const seen = { stampNs, offsetNs: stampNs - this.#elapsedNs() };
    const others = this.#highest.filter((other) => other.stampNs !== stampNs);
    const known = this.#highest.find((other) => other.stampNs === stampNs) ?? seen;
    this.#highest = [...others, known].sort((a, b) => (a.offsetNs > b.offsetNs ? -1 : 1)).slice(0, 2);
  }

  /** Takes note of what the node's clock shows at this moment. */
  read(nowNs: bigint): void {
    this.observe(nowNs);
    this.#readings = [nowNs - this.#elapsedNs(), ...this.#readings].slice(0, MAX_READINGS);
  }

  /**
   * The node's clock now as far as it was read, in nanoseconds since 1970, else this machine's: by it ends and lifetimes
   * are judged. It is within an hour of this machine's clock, so that a node that lies moves little.
   */
  bestNs(): bigint {
    const clockNs = this.#clock.nowNs();
    const errorNs = this.clockErrorNs() ?? 0n;
    const bounded = errorNs > MAX_CLOCK_ERROR_NS ? MAX_CLOCK_ERROR_NS : errorNs;
    return clockNs - (bounded < -MAX_CLOCK_ERROR_NS ? -MAX_CLOCK_ERROR_NS : bounded);
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

  /**
   * A time that the node states, brought below what its clock can show as far as other answers tell: a false one must not
   * count once the node is honest again. It is at most an hour ahead of this machine's clock.
   */
  credible(statedNs: bigint): bigint {
    const limitNs = this.#clock.nowNs() + MAX_CLOCK_ERROR_NS;
    const [bestNs, nowNs] = [this.bestNs(), this.nowNs()];
    const laterNs = bestNs > nowNs ? bestNs : nowNs;
    const boundNs = laterNs < limitNs ? laterNs : limitNs;
    return statedNs < boundNs ? statedNs : boundNs;
  }

  /**
   * Nanoseconds for which a stamp is known here, 0 for one that was not observed: by as much the node's clock is past it,
   * even if the node tells no other time.
   */
  sinceSeenNs(stampNs: bigint): bigint {
    const seenNs = this.#seen.get(stampNs);
    return seenNs === undefined ? 0n : this.#elapsedNs() - seenNs;
  }

  /**
   * Nanoseconds by which this machine's clock is ahead of the node's; undefined while that is not known. The middle one of
   * the last readings counts. Stamps alone, which may be old, show only that it is behind.
   */
  clockErrorNs(): bigint | undefined {
    const nowNs = this.#clock.nowNs() - this.#elapsedNs();
    const readings = [...this.#readings].sort((a, b) => (a < b ? -1 : 1));
    const middle = readings[readings.length >> 1];
    if (middle !== undefined) return nowNs - middle;
    const stampNs = this.#highest.at(-1)?.offsetNs;
    return stampNs !== undefined && stampNs > nowNs ? nowNs - stampNs : undefined;
  }

  /** Whether this machine's clock differs by more than an hour from the node's, as far as that has told its time. */
  get isClockWrong(): boolean {
    const differenceNs = this.clockErrorNs() ?? 0n;
    return differenceNs > MAX_CLOCK_ERROR_NS || -differenceNs > MAX_CLOCK_ERROR_NS;
  }

  /** @throws CLOCK_WRONG while `isClockWrong`; `data.differenceNs` is positive when this machine's clock is ahead. */
  requireClock(): void {
    if (!this.isClockWrong) return;
    const differenceNs = this.clockErrorNs() ?? 0n;
    const minutes = Number(differenceNs / 60_000_000_000n);
    const direction = minutes > 0 ? "ahead of" : "behind";
    const message = `this machine's clock is ${Math.abs(minutes)} minutes ${direction} the node's; set it and repeat`;
    throw clientError("CLOCK_WRONG", message, { data: { differenceNs } });
  }

  #elapsedNs(): bigint {
    return this.#clock.monotonicNs?.() ?? this.#clock.nowNs();
  }
}
