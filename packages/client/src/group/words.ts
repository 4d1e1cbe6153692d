import { toHex, type LeafNode } from "@latchkey/mls";
import type { GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { deleteEntry, hiddenEntries, historyOf } from "./entries.ts";
import type { GroupCore } from "./group-core.ts";
import { senderOf } from "./message.ts";

/** What the message or commit of a member shows about the history that it opens in. */
export interface Word {
  readonly record: Partial<GroupRecord>;
  readonly write: (tables: Tables) => void;
}

/**
 * Judges a message or a commit that another member wrote in an epoch.
 *
 * - It ends all hints when it is of the present epoch.
 * - It proves the history when its author is neither this inbox nor the one that signed the Welcome (TRU-11).
 * - It confirms a join or a return in the same case, and also when the signer of the Welcome was a super admin of the
 *   last good epoch.
 */
export function wordOf(core: GroupCore, sender: LeafNode, epoch: bigint): Word {
  const { context, groupId, record } = core;
  const { inboxId } = senderOf(sender);
  if (inboxId === context.own.inboxId) return { record: {}, write: () => undefined };
  const isPresent = epoch === core.mls.epoch;
  const isOpen = record.status === "pending" || record.proven === 0n;
  const { welcomedBy, trusted } = isOpen ? historyOf(context, groupId) : { welcomedBy: undefined, trusted: 0n };
  const isThird = welcomedBy !== undefined && toHex(welcomedBy) !== inboxId;
  const confirms = record.status === "pending" && (isThird || trusted === 1n);
  const kept = confirms ? hiddenEntries(context, record.mlsGroupId).filter(({ role }) => role === "kept") : [];
  return {
    record: {
      ...(confirms ? { status: "confirmed" as const } : {}),
      ...(isThird && record.proven === 0n ? { proven: 1n } : {}),
    },
    write: (tables) => {
      if (isPresent && tables.hints.count(groupId) > 0) tables.hints.delete(groupId);
      if (confirms) tables.joins.delete(groupId);
      for (const entry of kept) deleteEntry(tables, entry.groupId);
    },
  };
}
