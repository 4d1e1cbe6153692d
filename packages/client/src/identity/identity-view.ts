import type { AssociationState, IdentityPoint, IdentityResolver, SettledIdentity } from "@latchkey/xmtp";
import type { KnownState } from "./replay-log.ts";

/**
 * IDN-01: an update exists for an envelope when it was stamped at most this many nanoseconds later. Nodes stamp identity
 * updates and envelopes by two clocks.
 */
export const IDENTITY_CLOCK_NS = 60_000_000_000n;

/** IDN-02: nanoseconds for which an update that was stamped may be missing from the answers of a node. */
export const IDENTITY_LAG_NS = 60_000_000_000n;

/** IDN-03: nanoseconds before an external commit from which on a revocation counts. */
export const REVOCATION_NS = IDENTITY_CLOCK_NS + IDENTITY_LAG_NS;

/** One identity log as it was read. */
export interface ReadLog {
  readonly states: readonly KnownState[];
  /** Every update that was stamped before this time is in `states`; 0 when that is not known. */
  readonly completeNs: bigint;
  /** What two readings agree on, the second from the beginning of the log; undefined before there were two. */
  readonly confirmed?: { readonly completeNs: bigint; readonly lastId: bigint } | undefined;
}

/** What an envelope is judged by. */
export interface IdentitiesAt {
  readonly identity: IdentityResolver;
  readonly settledIdentity: SettledIdentity;
}

/** Identity logs as they were read for one verdict; what is read later changes nothing. */
export class IdentityView {
  readonly #logs: ReadonlyMap<string, ReadLog>;

  constructor(logs: ReadonlyMap<string, ReadLog>) {
    this.#logs = logs;
  }

  /** With logs that were read anew in place of the earlier ones. */
  with(later: IdentityView): IdentityView {
    return new IdentityView(new Map([...this.#logs, ...later.#logs]));
  }

  /** An inbox after exactly that update, whenever it was stamped. */
  readonly stateAfter = (inboxId: string, sequenceId: bigint): AssociationState | undefined =>
    this.#find({ inboxId, sequenceId })?.state;

  /** What there is for an envelope (IDN-01, IDN-03). */
  at(envelopeNs: bigint): IdentitiesAt {
    return {
      identity: (inboxId, sequenceId) => {
        const known = this.#find({ inboxId, sequenceId });
        return known !== undefined && existsAt(known, envelopeNs) ? known.state : undefined;
      },
      settledIdentity: (inboxId) => {
        const settled = (known: KnownState) => known.serverTimestampNs <= envelopeNs - REVOCATION_NS;
        const last = this.#states(inboxId).findLast(settled);
        return last === undefined ? undefined : { inboxId, ...last };
      },
    };
  }

  /** Whether an update that does not exist for an envelope will never do (IDN-02), as far as this reading says. */
  isOver(point: IdentityPoint, envelopeNs: bigint): boolean {
    const log = this.#logs.get(point.inboxId);
    if (log === undefined) return false;
    const known = this.#find(point);
    if (known !== undefined && !existsAt(known, envelopeNs)) return true;
    return lastId(log.states) > point.sequenceId || isPast(log.completeNs, envelopeNs);
  }

  /** Whether two readings have agreed on that. */
  isConfirmed({ inboxId, sequenceId }: IdentityPoint, envelopeNs: bigint): boolean {
    const confirmed = this.#logs.get(inboxId)?.confirmed;
    if (confirmed === undefined) return false;
    return sequenceId <= confirmed.lastId || isPast(confirmed.completeNs, envelopeNs);
  }

  /** Whether every update of an inbox that counts for IDN-03 is known. */
  isSettled(inboxId: string, envelopeNs: bigint): boolean {
    return (this.#logs.get(inboxId)?.completeNs ?? 0n) > envelopeNs - REVOCATION_NS;
  }

  #states(inboxId: string): readonly KnownState[] {
    return this.#logs.get(inboxId)?.states ?? [];
  }

  #find({ inboxId, sequenceId }: IdentityPoint): KnownState | undefined {
    return this.#states(inboxId).find((known) => known.sequenceId === sequenceId);
  }
}

/** Id of the newest update of a log; 0 for an empty one. */
export function lastId(states: readonly KnownState[]): bigint {
  return states.at(-1)?.sequenceId ?? 0n;
}

/** Whether a log that is complete up to a time has every update that exists for an envelope. */
export function isPast(completeNs: bigint, envelopeNs: bigint): boolean {
  return completeNs > envelopeNs + IDENTITY_CLOCK_NS;
}

function existsAt({ serverTimestampNs }: KnownState, envelopeNs: bigint): boolean {
  return serverTimestampNs <= envelopeNs + IDENTITY_CLOCK_NS;
}
