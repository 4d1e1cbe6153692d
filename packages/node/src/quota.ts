import { NodeError } from "./errors.ts";
import type { RateLimiter } from "./rate-limiter.ts";

/** How one quota is set up. */
export interface QuotaOptions {
  /** What is shared, as errors name it: "connections", "bytes of answers". */
  readonly what: string;
  /** Most that all addresses hold together. */
  readonly total: number;
  /** Most that one address holds. */
  readonly perAddress: number;
  /** Leases up to this size may take the last eighth as well, which larger ones leave to them; 0 for none. */
  readonly small?: number;
  /** Milliseconds without progress after which a lease is taken back when another one needs its share. */
  readonly reclaimMs: number;
  /** What an address takes over time, for leases that are not small. */
  readonly rate?: RateLimiter;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
  /** Called for each refusal. */
  readonly refused: () => void;
}

/** What one request or connection holds of a quota. */
export interface Lease {
  /** Takes more; throws NodeError `NODE_BUSY` or `RATE_LIMITED`, both retryable, when there is none. */
  readonly add: (amount: number) => void;
  /** Gives some back, which is progress. */
  give(amount: number): void;
  /** Holds this much from now on; throws as `add` does. */
  resize(amount: number): void;
  /** Gives everything back for good: a later `add` throws. Idempotent. */
  end(): void;
  /** Not to be taken back from now on. */
  shield(): void;
  /** May be taken back again once `reclaimMs` have passed. */
  expose(): void;
}

/** A lease outside of every quota, for a node without a network. */
export const FREE_LEASE: Lease = {
  add: () => undefined,
  give: () => undefined,
  resize: () => undefined,
  end: () => undefined,
  shield: () => undefined,
  expose: () => undefined,
};

/** Large leases leave one part in so many to small ones. */
const HEADROOM = 8;

interface Share {
  used: number;
  /** Leases that may be taken back, the longest without progress first. */
  readonly exposed: Map<QuotaLease, number>;
}

/**
 * Shares something bounded among addresses. When there is no more, what stands still is taken back: of the address itself
 * when it is at its bound, else of the address that holds most. So nobody keeps others out by holding on.
 */
export class Quota {
  readonly #options: QuotaOptions;
  readonly #shares = new Map<string, Share>();
  #held = 0;

  constructor(options: QuotaOptions) {
    this.#options = options;
  }

  /** What all addresses hold at present. */
  get held(): number {
    return this.#held;
  }

  /** Begins with nothing; `abort` ends what holds the lease when it is taken back. */
  lease(address: string, abort: () => void): Lease {
    return new QuotaLease(this, address, abort);
  }

  /** Used by leases only: takes an amount, or throws. */
  take(lease: QuotaLease, amount: number): void {
    const { address } = lease;
    const { total, perAddress, small = 0, rate } = this.#options;
    const isSmall = lease.own + amount <= small;
    const part = small > 0 && !isSmall ? 1 - 1 / HEADROOM : 1;
    const [ofAll, ofOne] = [total * part, perAddress * part];
    // An address at its bound makes room itself, before anybody else has to.
    if (perAddress < total) {
      this.#makeRoom(
        () => this.#usedBy(address) + amount - ofOne,
        () => address,
      );
      if (this.#usedBy(address) + amount > ofOne) throw this.#limited(this.#options.reclaimMs);
    }
    this.#makeRoom(
      () => this.#held + amount - ofAll,
      () => this.#largest(),
    );
    if (this.#held + amount > ofAll) throw this.#busy();
    if (rate !== undefined) {
      const waitMs = isSmall ? 0 : rate.wait(address);
      if (waitMs > 0) throw this.#limited(waitMs);
      rate.charge(address, amount);
    }
    this.#shareOf(address).used += amount;
    this.#held += amount;
  }

  /** Used by leases only. */
  put(lease: QuotaLease, amount: number): void {
    this.#held -= amount;
    const share = this.#shareOf(lease.address);
    share.used -= amount;
    if (share.used <= 0) this.#shares.delete(lease.address);
  }

  /** Used by leases only: notes from when on the lease stands still, or that it may not be taken back. */
  note(lease: QuotaLease, exposed: boolean): void {
    const share = this.#shares.get(lease.address);
    share?.exposed.delete(lease);
    if (exposed) share?.exposed.set(lease, this.#options.monotonicMs());
  }

  #shareOf(address: string): Share {
    let share = this.#shares.get(address);
    if (share === undefined) {
      share = { used: 0, exposed: new Map() };
      this.#shares.set(address, share);
    }
    return share;
  }

  #usedBy(address: string): number {
    return this.#shares.get(address)?.used ?? 0;
  }

  #largest(): string | undefined {
    let largest: string | undefined;
    let most = 0;
    for (const [address, { used, exposed }] of this.#shares) {
      if (used <= most || exposed.size === 0) continue;
      largest = address;
      most = used;
    }
    return largest;
  }

  /** Takes back what stands still, one lease after the other, until nothing is missing. */
  #makeRoom(missing: () => number, victimOf: () => string | undefined): void {
    const before = this.#options.monotonicMs() - this.#options.reclaimMs;
    while (missing() > 0) {
      const victim = victimOf();
      const oldest = this.#shares
        .get(victim ?? "")
        ?.exposed.entries()
        .next();
      if (oldest === undefined || oldest.done === true) return;
      const [lease, sinceMs] = oldest.value;
      if (sinceMs > before) return;
      lease.reclaim();
    }
  }

  #busy(): NodeError {
    this.#options.refused();
    const text = `the node holds as many ${this.#options.what} as it may; try again`;
    return new NodeError("NODE_BUSY", text, { retryable: true, retryAfterMs: 1_000 });
  }

  #limited(retryAfterMs: number): NodeError {
    this.#options.refused();
    const text = `this address holds as many ${this.#options.what} as it may; try again`;
    return new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs });
  }
}

class QuotaLease implements Lease {
  readonly address: string;
  readonly #quota: Quota;
  readonly #abort: () => void;
  #own = 0;
  #shielded = false;
  #ended = false;

  constructor(quota: Quota, address: string, abort: () => void) {
    this.#quota = quota;
    this.address = address;
    this.#abort = abort;
  }

  get own(): number {
    return this.#own;
  }

  readonly add = (amount: number): void => {
    if (this.#ended) throw new NodeError("NODE_BUSY", "the client has gone, or was given up", { retryable: true });
    this.#quota.take(this, amount);
    const isFirst = this.#own === 0;
    this.#own += amount;
    if (isFirst && !this.#shielded) this.#quota.note(this, true);
  };

  give(amount: number): void {
    const back = Math.min(amount, this.#own);
    if (back === 0) return;
    this.#own -= back;
    this.#quota.note(this, this.#own > 0 && !this.#shielded);
    this.#quota.put(this, back);
  }

  resize(amount: number): void {
    if (amount > this.#own) this.add(amount - this.#own);
    else this.give(this.#own - amount);
  }

  end(): void {
    this.#ended = true;
    this.give(this.#own);
  }

  shield(): void {
    this.#shielded = true;
    this.#quota.note(this, false);
  }

  expose(): void {
    this.#shielded = false;
    if (this.#own > 0) this.#quota.note(this, true);
  }

  reclaim(): void {
    this.end();
    this.#abort();
  }
}
