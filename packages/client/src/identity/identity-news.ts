import { monotonicNs } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Environment } from "./environment.ts";
import type { Transport } from "../transport/transport.ts";
import type { IdentityDirectory } from "./directory.ts";

/** The parts of a client by which it follows identity logs. */
export function newFollowing(directory: IdentityDirectory, { transport, clock }: Environment) {
  const news = new IdentityNews(directory, transport, () => monotonicNs(clock));
  return { news, revocation: new AbortController(), ownGrowth: new Set<() => void>() };
}

/**
 * Reads what is new in identity logs, each at most once in a while for all groups together: XMTP's API tells nobody that a
 * log has grown.
 */
export class IdentityNews {
  readonly #directory: IdentityDirectory;
  readonly #transport: Transport;
  readonly #nowNs: () => bigint;
  /** By inbox, when its log was asked for last; the oldest notes make room. */
  readonly #askedNs = new Map<string, bigint>();

  /** `nowNs` is a clock that only ever goes forward. */
  constructor(directory: IdentityDirectory, transport: Transport, nowNs: () => bigint) {
    this.#directory = directory;
    this.#transport = transport;
    this.#nowNs = nowNs;
  }

  /**
   * Reads the logs of inboxes that were not asked for within `maxAgeMs` milliseconds: one request for all of them, behind
   * what is known, and one more for those that have grown. Throws as `Transport`.
   */
  async read(inboxIds: readonly string[], maxAgeMs: number, signal?: AbortSignal): Promise<void> {
    const nowNs = this.#nowNs();
    const oldestNs = nowNs - BigInt(maxAgeMs) * 1_000_000n;
    const due = inboxIds.filter((inboxId) => {
      const askedNs = this.#askedNs.get(inboxId);
      return maxAgeMs === 0 || askedNs === undefined || askedNs <= oldestNs || askedNs > nowNs;
    });
    for (let start = 0; start < due.length; start += CLIENT_LIMITS.lookUpKeys) {
      await this.#readPart(due.slice(start, start + CLIENT_LIMITS.lookUpKeys), signal);
    }
  }

  async #readPart(inboxIds: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const askedNs = this.#nowNs();
    const newest = await this.#directory.newestKnown(inboxIds);
    const requests = inboxIds.map((inboxId) => ({
      inboxId,
      afterSequenceId: newest.get(inboxId)?.sequenceId ?? 0n,
    }));
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    const grown = inboxIds.filter((_, index) => (answers[index] ?? []).length > 0);
    // An inbox that does not verify stays as it is known: no log of somebody else fails the reading of these.
    if (grown.length > 0) await this.#directory.lookup([], { fresh: grown, signal });
    for (const inboxId of inboxIds) this.#note(inboxId, askedNs);
  }

  #note(inboxId: string, askedNs: bigint): void {
    this.#askedNs.delete(inboxId);
    this.#askedNs.set(inboxId, askedNs);
    for (const [oldest] of this.#askedNs) {
      if (this.#askedNs.size <= CLIENT_LIMITS.maxIdentityNotes) return;
      this.#askedNs.delete(oldest);
    }
  }
}
