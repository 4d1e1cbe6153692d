import type { GroupRecord } from "../store/records.ts";

/** The entry of a history that begins here, shown under its group's id. */
export function newGroupRecord(
  begin: Pick<GroupRecord, "groupId" | "cursor" | "epochEnteredAtNs" | "createdAtNs" | "status" | "proven">,
): GroupRecord {
  return {
    ...begin,
    mlsGroupId: begin.groupId,
    role: "shown",
    checkedId: 0n,
    contestedId: 0n,
    lastCommitId: begin.cursor,
    active: 1n,
  };
}
