import { toHex } from "@latchkey/mls";
import { decodeMessageContent, leaveRequestCodec, type IncomingContent } from "@latchkey/xmtp";
import type { OutboxRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { GroupCore } from "./group-core.ts";
import { messageHash } from "./own-echo.ts";
import { copiesInReach, encodeCopies, NO_EPOCH } from "./sent-copies.ts";

/** No bytes: no copies, no key. */
export const NOTHING = new Uint8Array(0);

/** What a queued message says. */
export function contentOf(core: Pick<GroupCore, "groupId">, { plaintext }: OutboxRecord): IncomingContent {
  return decodeMessageContent(core.groupId, plaintext);
}

/** Whether a queued message asks for the own removal; people see nothing of it. */
export function isLeaveRequest(row: OutboxRecord): boolean {
  return contentOf(row, row).contentType === leaveRequestCodec.type;
}

/** A message of the queue before it is encrypted. */
export type UnsentRecord = Omit<OutboxRecord, "epoch" | "message" | "messageHash">;

/**
 * Queues a message while the log cannot be read; inside of `exclusive`. It is encrypted when it leaves, after a read: the
 * database may be an older copy, and would use a message key again that the log would have shown.
 */
export function queueUnsent(core: GroupCore, row: UnsentRecord): OutboxRecord {
  const queued = { ...row, epoch: NO_EPOCH, message: NOTHING, messageHash: NOTHING };
  core.step({ write: (tables) => tables.outbox.put(queued) });
  return queued;
}

/**
 * Encrypts a plaintext for the present epoch and queues it; inside of `exclusive`. The message key is spent on disk in
 * the same transaction, before anything leaves: no crash makes us use it twice.
 */
export async function enqueue(core: GroupCore, row: UnsentRecord): Promise<OutboxRecord> {
  // A member's proposal alone changes nothing here: members commit what they propose. One that waits for a commit that
  // never came must not silence the group.
  const { message, change } = await core.mls.encryptApplication(row.plaintext, { despiteProposals: true });
  const queued = { ...row, epoch: core.mls.epoch, message, messageHash: messageHash(core.context, message) };
  core.step({ change, write: (tables) => tables.outbox.put(queued) });
  core.sentCopies.add(queued);
  return queued;
}

/**
 * The messages that wait, those of an epoch that has ended encrypted anew, for whom was removed meanwhile shall not read
 * them; inside of `exclusive`. The message id stays, so a reader who got both versions shows one. A copy that the log was
 * seen to have behind an envelope that waits needs no other one.
 */
export async function renewedOutbox(core: GroupCore): Promise<OutboxRecord[]> {
  const { outbox } = core.context.store;
  if (outbox.count(core.groupId) === 0) return [];
  const waiting: OutboxRecord[] = [];
  for (const row of outbox.list(core.groupId)) {
    const copies = copiesInReach(core, row);
    if (row.state === "cancelled" && copies.length === 0) deleteQueued(core, row);
    if (row.state !== "waiting" || copies.some(({ hash }) => core.seenAhead.has(toHex(hash)))) continue;
    const isRenewed = row.epoch !== core.mls.epoch;
    const left = row.mayHaveLeft === 1n ? encodeCopies(copies) : NOTHING;
    waiting.push(isRenewed ? await enqueue(core, { ...row, copies: left }) : row);
  }
  return waiting;
}

/** Removes a message from the queue; inside of `exclusive`. */
export function deleteQueued(core: GroupCore, { queueId }: OutboxRecord): void {
  core.step({ write: ({ outbox }) => outbox.delete(core.groupId, queueId) });
}

/** Writes what became of a queued message; inside of `exclusive`. */
export function updateQueued(core: GroupCore, row: OutboxRecord): OutboxRecord {
  core.step({ write: ({ outbox }) => outbox.put(row) });
  return row;
}

/** The row of a message that is sent no more; a request to leave goes without a word, since nobody waits for it. */
export function failQueued({ outbox }: Pick<Tables, "outbox">, row: OutboxRecord, errorCode: string): void {
  if (isLeaveRequest(row)) outbox.delete(row.groupId, row.queueId);
  else outbox.put({ ...row, state: "failed", errorCode, told: 0n });
}

/** All that waits in a group will never leave: this membership, or this history, is over. */
export function failAllQueued(tables: Tables, groupId: Uint8Array, errorCode: "NOT_A_MEMBER" | "GROUP_CONFLICT"): void {
  for (const row of tables.outbox.list(groupId)) {
    if (row.state === "waiting") failQueued(tables, row, errorCode);
    else if (row.state === "cancelled") tables.outbox.delete(groupId, row.queueId);
  }
}

/** What waits will leave in another history: its copies of this one are worth nothing there. */
export function requeueForReturn({ outbox }: Tables, groupId: Uint8Array): void {
  for (const row of outbox.list(groupId)) {
    if (row.state === "cancelled") outbox.delete(groupId, row.queueId);
    else outbox.put({ ...row, epoch: NO_EPOCH, copies: NOTHING });
  }
}

/**
 * Takes what is queued out of a history that makes room for another one of the same id. It fails, because those it was
 * meant for may not be in the other one, and stays with the id, where people look for it.
 */
export function takeFailed(tables: Tables, groupId: Uint8Array): OutboxRecord[] {
  failAllQueued(tables, groupId, "GROUP_CONFLICT");
  requeueForReturn(tables, groupId);
  const queued = tables.outbox.list(groupId);
  tables.outbox.delete(groupId);
  return queued;
}
