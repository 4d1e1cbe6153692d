import type { IdentityContext } from "../identity/identity-context.ts";
import type { Mutex } from "../mutex.ts";
import type { HiddenGroups } from "../store/hidden-groups.ts";
import type { SlotPollBackoff } from "../transport/slot-poll-backoff.ts";

/** The parts of a client that its groups, invites and joins share. */
export interface ClientContext extends IdentityContext {
  /** Histories of groups that are not shown. */
  readonly hiddenGroups: HiddenGroups;
  /** Held while a join by invite runs: one at a time. */
  readonly joinTurn: Mutex;
  /** Held while a new device is linked: one at a time. */
  readonly linkTurn: Mutex;
  /** By invite service: what links to it begin with, learnt from each service once. */
  readonly linkBases: Map<string, string | undefined>;
  /** Held while Welcomes are read: each leads to one group, which is returned once. */
  readonly welcomeTurn: Mutex;
  /** When slots may be polled for the sake of joins that wait. */
  readonly slotPolls: SlotPollBackoff;
  /** Ids of Welcomes that were handled behind one that is to be read again. In memory: read again, they change nothing. */
  readonly welcomesAhead: Set<bigint>;
}
