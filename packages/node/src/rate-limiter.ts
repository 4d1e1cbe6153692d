/** How one rate limiter is set up. */
export interface RateLimiterOptions {
  /** Tokens at once, without waiting. */
  readonly burst: number;
  /** Tokens per second over time. */
  readonly perSecond: number;
  /** Keys remembered; the least recently used is forgotten first, which only ever helps that key. */
  readonly maxKeys: number;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/** A token bucket per key. A charge of more than there is leaves a debt, which time pays. */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  /** In order of last use, because a Map keeps the order of insertion. */
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /** Takes one token: 0 when there was one, otherwise the milliseconds until there is one. */
  take(key: string): number {
    const waitMs = this.wait(key);
    this.charge(key, waitMs === 0 ? 1 : 0);
    return waitMs;
  }

  /** Milliseconds until there is a token, 0 when there is one. */
  wait(key: string): number {
    const { perSecond, monotonicMs } = this.#options;
    const tokens = this.#tokens(key, monotonicMs());
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1_000);
  }

  /** Takes tokens whether they are there or not. */
  charge(key: string, tokens: number): void {
    const { maxKeys, monotonicMs } = this.#options;
    const atMs = monotonicMs();
    const left = this.#tokens(key, atMs) - tokens;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: left, atMs });
    if (this.#buckets.size <= maxKeys) return;
    const oldest = this.#buckets.keys().next();
    if (oldest.done !== true) this.#buckets.delete(oldest.value);
  }

  /** Keys remembered at present. */
  get size(): number {
    return this.#buckets.size;
  }

  #tokens(key: string, atMs: number): number {
    const { burst, perSecond } = this.#options;
    const known = this.#buckets.get(key);
    return known === undefined ? burst : Math.min(burst, known.tokens + ((atMs - known.atMs) * perSecond) / 1_000);
  }
}
