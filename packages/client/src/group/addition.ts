import type { UnusableInbox } from "./adds.ts";

/** What came of adding inboxes. */
export interface Addition {
  /** Inboxes that are members now and were not. */
  readonly added: readonly string[];
  /** Inboxes of which no installation can be used in the group, with the fault of each: they are no members. */
  readonly notAdded: readonly UnusableInbox[];
  /** Installations of the added inboxes that were left out, with the fault of each. */
  readonly leftOut: readonly UnusableInbox[];
}

/** Before anything was added. */
export const NOBODY_ADDED: Addition = { added: [], notAdded: [], leftOut: [] };
