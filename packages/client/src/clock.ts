/** How to wait. */
export interface SleepOptions {
  /** The program may end although somebody waits. */
  readonly background?: boolean;
}

/** Time and waiting, injected so that tests need no sleep. */
export interface Clock {
  /** Nanoseconds since 1970. */
  nowNs(): bigint;
  /** Nanoseconds since any moment, by a clock that nobody sets; `nowNs` stands in for it where it is left out. */
  monotonicNs?(): bigint;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal, options?: SleepOptions): Promise<void>;
  /** A signal that is aborted after `ms` milliseconds. */
  timeout(ms: number): AbortSignal;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowNs: () => BigInt(Date.now()) * 1_000_000n,
  monotonicNs: () => BigInt(Math.round(performance.now() * 1_000)) * 1_000n,
  timeout: (ms) => AbortSignal.timeout(ms),
  sleep(ms, signal, { background = false } = {}) {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(asError(signal?.reason));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      // Browsers have numbers for timers, and no programs that end.
      if (background && typeof timer === "object") timer.unref();
      if (signal?.aborted === true) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  },
};

/** Nanoseconds since any moment, by a clock that nobody sets where there is one. */
export function monotonicNs(clock: Clock): bigint {
  return clock.monotonicNs?.() ?? clock.nowNs();
}

/** Whether the signal is aborted by now; a call, because it happens while we wait. */
export function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** An abort reason as something to throw. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("the operation was aborted", { cause: reason });
}

/**
 * Decorrelated jitter: each delay is drawn between the base and three times the one before, so that clients that
 * collided once do not collide again in step.
 */
export class Backoff {
  readonly #random: () => number;
  readonly #baseMs: number;
  readonly #capMs: number;
  #lastMs: number;

  /** `random` gives numbers in [0, 1). */
  constructor(random: () => number, baseMs: number, capMs: number) {
    this.#random = random;
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#lastMs = baseMs;
  }

  /** The next delay in milliseconds. */
  nextMs(): number {
    const drawn = this.#baseMs + this.#random() * (3 * this.#lastMs - this.#baseMs);
    this.#lastMs = Math.min(this.#capMs, drawn);
    return this.#lastMs;
  }
}

/** Whether something may be done again that a time says was done; a clock that went back does not put it off. */
export function isDue(doneAtNs: bigint, pauseNs: bigint, nowNs: bigint): boolean {
  return nowNs < doneAtNs || nowNs - doneAtNs >= pauseNs;
}
