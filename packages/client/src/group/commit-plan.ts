import type { AppDataChanges, Proposal } from "@latchkey/mls";
import type { Tables } from "../store/store.ts";

/** The changes of a commit; made anew for every epoch it is tried in. */
export interface CommitPlan {
  readonly proposals: readonly Proposal[];
  /** New values of the components that AppDataUpdates among the proposals touch. */
  readonly appData?: AppDataChanges;
  /** Template of the renewal of the invite that begins when the commit is merged; see `group/renewal.ts`. */
  readonly renewal?: Uint8Array;
  /** What the transaction that makes the commit ready to leave writes as well. */
  readonly write?: (tables: Tables) => void;
}
