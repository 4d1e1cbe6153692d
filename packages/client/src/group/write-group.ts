import type { GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { writeRows } from "./group-core.ts";
import { noteGap } from "./histories.ts";
import { failAllQueued } from "./outbox.ts";

/** Writes a group that begins for this installation, in place of what may be left from an earlier membership. */
export function writeJoinedGroup(
  tables: Tables,
  record: GroupRecord,
  rows: ReadonlyMap<string, Uint8Array | null>,
): void {
  const { groupId } = record;
  tables.groupRows.delete(groupId);
  tables.pendingCommits.delete(groupId);
  failAllQueued(tables, groupId, "NOT_A_MEMBER");
  for (const { followUpId, kind } of tables.followUps.list(groupId)) {
    // A Welcome of the earlier membership is the only way in for whoever it is for, and nobody else can send it.
    if (kind !== "welcome") tables.followUps.delete(groupId, followUpId);
  }
  tables.leaveRequests.delete(groupId);
  tables.inviteRenewals.delete(groupId);
  tables.unsupportedGroups.delete(groupId);
  tables.forgottenGroups.delete(groupId);
  tables.hints.delete(groupId);
  tables.histories.delete(groupId);
  const before = tables.groups.get(groupId);
  if (before !== undefined) noteGap(tables, { groupId, fromId: before.lastCommitId, toId: record.cursor });
  tables.groups.put(record);
  writeRows(tables, groupId, rows);
}
