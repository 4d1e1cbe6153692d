import type { GroupRecord } from "../store/records.ts";
import { clientError } from "../errors.ts";
import { hiddenEntries, historyOf } from "./entries.ts";
import type { GroupCore } from "./group-core.ts";

/**
 * What proves that the group has gone on without the state of this installation:
 *
 * - `own-envelope`: the log has a message under the own signature that this state never sent, so that the database is an
 *   older copy.
 * - `group-info`: members of the last good epoch signed a GroupInfo that this state cannot lead to.
 * - `readded`: a commit has put another leaf in the place of the own one.
 *
 * XMTP's commit log is no proof: the key that signs it is a private key in the group's state, so that every member and
 * every former one could stop all others with it.
 */
export type PartedProof = "own-envelope" | "group-info" | "readded";

/** Records the proof, with further changes of the record; what waits to be sent stays queued for the way back. */
export function recordParted(core: GroupCore, proof: PartedProof, record: Partial<GroupRecord> = {}): void {
  const { context, groupId } = core;
  const isNews = core.record.status !== "parted";
  core.step({
    record: { ...record, status: "parted" },
    write: (tables) => {
      if (!isNews) return;
      tables.histories.put({ ...historyOf(context, groupId), proof });
      tables.pendingCommits.delete(groupId);
      tables.joins.delete(groupId);
    },
  });
  core.settlePendingCommit("lost");
}

/**
 * Throws GROUP_PARTED while no member has confirmed that this installation is back: a commit of its own would leave the
 * last good state behind for one that nobody vouches for. Messages may be sent.
 */
export function requireConfirmedReturn({ context, record }: GroupCore): void {
  if (record.status !== "pending") return;
  if (!hiddenEntries(context, record.mlsGroupId).some(({ role }) => role === "kept")) return;
  throw clientError("GROUP_PARTED", "this installation is back, and changes wait for the next message of a member", {
    retryable: true,
  });
}

/** A commit that applies shows that a GroupInfo of a later epoch was only ahead of what had been read. */
export function isRefuted({ context, groupId, record }: GroupCore): boolean {
  return record.status === "parted" && context.store.histories.get(groupId)?.proof === "group-info";
}
