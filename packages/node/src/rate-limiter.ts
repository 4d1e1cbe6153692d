/** How one rate limiter is set up. */
export interface RateLimiterOptions {
  /** Requests at once, without waiting. */
  readonly burst: number;
  /** Requests per second over time. */
  readonly perSecond: number;
  /** Keys remembered; the least recently used is forgotten first, which only ever helps that key. */
  readonly maxKeys: number;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/** A token bucket per key. */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  /** In order of last use, because a Map keeps the order of insertion. */
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /** Takes one token: 0 when there was one, otherwise the milliseconds until there is one. */
  take(key: string): number {
    const { burst, perSecond, maxKeys, monotonicMs } = this.#options;
    const atMs = monotonicMs();
    const known = this.#buckets.get(key);
    const tokens =
      known === undefined ? burst : Math.min(burst, known.tokens + ((atMs - known.atMs) * perSecond) / 1_000);
    const taken = tokens >= 1;

    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: taken ? tokens - 1 : tokens, atMs });
    if (this.#buckets.size > maxKeys) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    return taken ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1_000);
  }

  /** Keys remembered at present. */
  get size(): number {
    return this.#buckets.size;
  }
}
