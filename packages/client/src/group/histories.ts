import { fromHex, type Rows } from "@latchkey/mls";
import type { ClientContext } from "./client-context.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { EntryRole, GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { surplus } from "../store/surplus.ts";
import { deleteEntry, hiddenEntries, historyOf, moveEntry, moveMlsState, newEntryKey } from "./entries.ts";
import { writeRows, type GroupCore } from "./group-core.ts";
import { requeueForReturn, takeFailed } from "./outbox.ts";
import { isTrustedSigner, type WelcomedGroup, type WelcomeVerdict } from "./welcome-rules.ts";

/*
 * Several histories can claim one group id, because anybody can make a group of any id. Each is an entry of its own, with
 * rows of its own, and at most one of them is shown; nothing of one is ever read into another.
 */

/** What takes the place of the history that is shown. */
type Succession = Extract<WelcomeVerdict, "replace" | "return" | "beside"> | "choice";

/** Writes a group that a Welcome brought, as an entry that is not shown, and returns its record. */
export function writeClaim(
  context: ClientContext,
  tables: Tables,
  { record, signer }: WelcomedGroup,
  rows: Rows,
): GroupRecord {
  const groupId = newEntryKey(context);
  const claim: GroupRecord = { ...record, groupId, role: "claim", status: "pending", proven: 0n };
  tables.groups.put(claim);
  writeRows(tables, groupId, rows);
  tables.histories.put({
    ...historyOf(context, groupId),
    welcomedBy: fromHex(signer.inboxId),
    signerKey: fromHex(signer.installationId),
  });
  return claim;
}

/** Drops the oldest claims without proof, of one group id and of all together. */
export function dropSurplusClaims(context: ClientContext, tables: Tables, mlsGroupId: Uint8Array): void {
  const isClaim = ({ role }: GroupRecord) => role === "claim";
  const ofAll = tables.groups.list().filter(isClaim).sort(byWorth);
  const ofId = hiddenEntries(context, mlsGroupId).filter(isClaim).sort(byWorth);
  const { maxClaims, maxClaimsPerGroup } = CLIENT_LIMITS;
  for (const { groupId } of [...surplus(ofId, maxClaimsPerGroup), ...surplus(ofAll, maxClaims)]) {
    deleteEntry(tables, groupId);
  }
}

/** Without proof before proven, old before new. */
function byWorth(a: GroupRecord, b: GroupRecord): number {
  if (a.proven !== b.proven) return a.proven < b.proven ? -1 : 1;
  return a.createdAtNs < b.createdAtNs ? -1 : 1;
}

/**
 * Puts an entry that is not shown in the place of the history that is, inside of the latter's `exclusive`.
 *
 * After a return messages stay in one list, with a gap. Otherwise the history before becomes an entry of its own, or
 * goes if it has no message; after a choice it can be chosen again.
 */
export function succeed(
  context: ClientContext,
  tables: Tables,
  known: GroupCore,
  next: GroupRecord,
  how: Succession,
  trusted = 0n,
): GroupRecord {
  const { groupId } = known;
  const record: GroupRecord = { ...next, groupId, role: "shown", ...standing(known, next, how) };
  tables.joins.delete(groupId);
  if (how === "return") keepState(context, tables, known);
  else if (how === "replace") tables.groupRows.delete(groupId);
  else archive(context, tables, known, how);
  if (how === "return" || how === "replace") clearForReturn(tables, known, record);
  moveEntry(tables, next.groupId, groupId);
  tables.groups.put(record);
  tables.histories.put({ ...historyOf({ store: tables }, groupId), trusted });
  return record;
}

function standing(
  { record }: GroupCore,
  { proven }: GroupRecord,
  how: Succession,
): Pick<GroupRecord, "status" | "proven"> {
  if (how === "return") return { status: "pending", proven: record.proven };
  if (how === "choice") return { status: "confirmed", proven: 1n };
  return { status: "pending", proven };
}

/** The state before a return is kept until a member confirms the new one; only the last good one is. */
function keepState(context: ClientContext, tables: Tables, { groupId }: GroupCore): void {
  if (hiddenEntries(context, groupId).some(({ role }) => role === "kept")) {
    tables.groupRows.delete(groupId);
    return;
  }
  const key = newEntryKey(context);
  moveMlsState(tables, groupId, key);
  relabel(tables, key, "kept");
}

function archive(context: ClientContext, tables: Tables, { groupId }: GroupCore, how: Succession): void {
  const isEmpty = tables.messages.count(groupId) === 0;
  // Each Welcome is the only way in for its recipient, and nobody else can send it: it stays where it is sent from.
  const welcomes = tables.followUps.list(groupId).filter(({ kind }) => kind === "welcome");
  tables.followUps.delete(groupId);
  const queued = takeFailed(tables, groupId);
  if (how !== "choice" && isEmpty) deleteEntry(tables, groupId);
  else {
    const key = newEntryKey(context);
    moveEntry(tables, groupId, key);
    relabel(tables, key, isEmpty ? "claim" : "archived");
  }
  for (const welcome of welcomes) tables.followUps.put(welcome);
  for (const row of queued) tables.outbox.put(row);
}

function relabel(tables: Tables, groupId: Uint8Array, role: EntryRole): void {
  const record = tables.groups.get(groupId);
  if (record !== undefined) tables.groups.put({ ...record, role });
}

/** What belonged to the state before; messages that wait to be sent are encrypted anew. */
function clearForReturn(tables: Tables, { groupId, record }: GroupCore, { cursor }: GroupRecord): void {
  tables.pendingCommits.delete(groupId);
  requeueForReturn(tables, groupId);
  tables.hints.delete(groupId);
  for (const { followUpId, kind } of tables.followUps.list(groupId)) {
    if (kind !== "welcome") tables.followUps.delete(groupId, followUpId);
  }
  noteGap(tables, { groupId, fromId: record.lastCommitId, toId: cursor });
}

/** Notes a stretch of the log that was not read. */
export function noteGap(tables: Tables, gap: Parameters<Tables["gaps"]["put"]>[0]): void {
  if (gap.toId <= gap.fromId) return;
  tables.gaps.put(gap);
  for (const { groupId, fromId } of surplus(tables.gaps.list(gap.groupId), CLIENT_LIMITS.maxGaps)) {
    tables.gaps.delete(groupId, fromId);
  }
}

/** Marks whose word confirms a history that came by Welcome. */
export function trustedFlag(context: ClientContext, known: GroupCore, welcomed: WelcomedGroup): bigint {
  return isTrustedSigner(context, known, welcomed) ? 1n : 0n;
}
