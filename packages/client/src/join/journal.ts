import { decodeRows } from "@latchkey/mls";
import { decodeInvitePayload } from "@latchkey/xmtp";
import type { GroupsContext } from "../group/group-registry.ts";
import type { GroupCore } from "../group/group-core.ts";
import { newGroupRecord } from "../group/group-record.ts";
import { queueFollowUps, welcomeFollowUps } from "../group/queue-follow-ups.ts";
import { failAllQueued } from "../group/outbox.ts";
import { writeJoinedGroup } from "../group/write-group.ts";
import type { JoinRecord } from "../store/records.ts";
import type { SeenCommit } from "./log-scan.ts";

/**
 * The journal of a join. Each function is one arrow and one transaction; before JOINED no other table knows of the group:
 *
 *     nothing → PREPARED → PUBLISHED → SEQUENCED → JOINED → nothing, once a member's message has confirmed it
 *                   │          │          ↑           └→ nothing but an inactive group, once it is known to be refused
 *                   └──────────┴⇄ CONTESTED → LOST: nothing (also from PREPARED and PUBLISHED)
 *
 * LOST is a commit that the node refused, that members must refuse at its envelope, or that names an outdated identity.
 *
 * WAITING is no join of this device: its inbox is in the group, and a member's Welcome ends it; see `device-waits.ts`.
 *
 * CONTESTED is a commit that another one of its epoch came before: whether members took that one or refused it only a
 * later state of the group tells. When they have refused all of those and not read the own one it is PUBLISHED again, and
 * counts from there.
 */

/** → PREPARED: from here on a crash is settled by asking the log. */
export function recordPrepared(context: GroupsContext, join: JoinRecord): JoinRecord {
  context.store.transaction(({ joins }) => joins.put(join));
  return join;
}

/** PREPARED, CONTESTED → PUBLISHED. */
export function recordPublished(context: GroupsContext, join: JoinRecord): JoinRecord {
  return recordPrepared(context, { ...join, state: "PUBLISHED" });
}

/** PREPARED, PUBLISHED → CONTESTED; `own` is the own commit, if it is in the log. */
export function recordContested(context: GroupsContext, join: JoinRecord, own: SeenCommit | undefined): void {
  recordPrepared(context, { ...join, state: "CONTESTED", commitId: own?.id, commitCreatedNs: own?.createdNs });
}

/** PUBLISHED, CONTESTED → SEQUENCED: the own commit is the first of its epoch that was not refused. */
export function recordSequenced(
  context: GroupsContext,
  join: JoinRecord,
  commit: Pick<SeenCommit, "id" | "createdNs">,
): JoinRecord {
  return recordPrepared(context, {
    ...join,
    state: "SEQUENCED",
    commitId: commit.id,
    commitCreatedNs: commit.createdNs,
  });
}

/** → LOST, or never published: nothing is left. */
export function recordLost(context: GroupsContext, join: JoinRecord): void {
  context.store.transaction(({ joins }) => joins.delete(join.groupId));
}

/**
 * SEQUENCED → JOINED: group, tree, secrets, cursor and the work that is left, all at once (REV-01). The epoch counts
 * from the commit's envelope time (REV-03), and the Welcomes tell the commit's id (REV-02).
 */
export async function recordJoined(context: GroupsContext, join: JoinRecord): Promise<GroupCore> {
  // A sequenced join has both.
  const { groupId, commitId = 0n, commitCreatedNs = 0n } = join;
  const welcomes = await welcomeFollowUps(context, join, commitId);
  // Whoever scanned the invite chose this history.
  const record = newGroupRecord({
    groupId,
    cursor: commitId,
    epochEnteredAtNs: commitCreatedNs,
    createdAtNs: context.time.bestNs(),
    status: "pending",
    proven: 1n,
  });
  context.store.transaction((tables) => {
    writeJoinedGroup(tables, record, decodeRows(join.rows));
    tables.admissions.put({
      groupId,
      id: commitId,
      inboxId: context.own.inboxId,
      externalGroupId: decodeInvitePayload(join.invite).externalGroupId,
      admittedAtNs: record.epochEnteredAtNs,
    });
    queueFollowUps(tables, groupId, [...welcomes, { kind: "refresh", payload: join.invite }]);
    // The rows are the group's from here on; what is left of the journal waits for a member's proof.
    const empty = new Uint8Array(0);
    tables.joins.put({ ...join, state: "JOINED", rows: empty, welcome: undefined, recipients: empty });
  });
  return context.groups.adopt(record);
}

/** JOINED → confirmed: a member has shown that the join is in the group's history. */
export function recordConfirmed(core: GroupCore): void {
  core.step({ record: { status: "confirmed" }, write: ({ joins }) => joins.delete(core.groupId) });
}

/**
 * JOINED → refused: the group went on without this join. What was to be sent in its name is dropped; what was read stays,
 * and a new join takes the place of all of it in one transaction.
 */
export function recordRefused(core: GroupCore): void {
  const { groupId } = core;
  core.step({
    record: { status: "refused", active: 0n },
    write: (tables) => {
      tables.joins.delete(groupId);
      failAllQueued(tables, groupId, "NOT_A_MEMBER");
      tables.followUps.delete(groupId);
      tables.pendingCommits.delete(groupId);
    },
  });
  core.settlePendingCommit("lost");
}
