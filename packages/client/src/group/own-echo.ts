import { decodeRows, equalBytes, MLS_LIMITS } from "@latchkey/mls";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";
import { renewalAfterOwn, writeRenewal } from "../invite/renewal-journal.ts";
import type { GroupRecord, OutboxRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { Envelope } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { noteExpiry } from "./disappearing.ts";
import { forgetLeavers, noteLeaveRequest } from "./leave-requests.ts";
import { messageRecord } from "./message.ts";
import { queueFollowUps, welcomeFollowUps } from "./queue-follow-ups.ts";

/** How an own message is known again in the log: SHA-256 of its bytes. */
export function messageHash(context: Pick<ClientContext, "crypto">, message: Uint8Array): Uint8Array {
  return context.crypto.suite(XMTP_CIPHER_SUITE).hash(message);
}

/** Envelope time at which a new epoch begins; never before the one of the epoch it follows. Nothing contests it yet. */
export function epochStart(core: GroupCore, envelope: Envelope): Pick<GroupRecord, "epochEnteredAtNs" | "contestedId"> {
  const { epochEnteredAtNs } = core.record;
  const isLater = envelope.createdNs > epochEnteredAtNs;
  return { epochEnteredAtNs: isLater ? envelope.createdNs : epochEnteredAtNs, contestedId: 0n };
}

/** Merges the own commit when the envelope is its echo: it is the first valid one of its epoch, or it were gone. */
export async function receiveOwnCommit(core: GroupCore, envelope: Envelope, hash: Uint8Array): Promise<boolean> {
  const pending = core.pendingCommit;
  if (pending === undefined || !equalBytes(hash, pending.record.messageHash)) return false;
  const followUps = await welcomeFollowUps(core.context, pending.record, envelope.id);
  const record = { cursor: envelope.id, lastCommitId: envelope.id, ...epochStart(core, envelope) };
  const write = (tables: Tables) => {
    tables.pendingCommits.delete(core.groupId);
    writeRenewal(tables, core.groupId, renewalAfterOwn(core.groupId, pending.record.renewal));
    queueFollowUps(tables, core.groupId, [...followUps, { kind: "refresh", payload: new Uint8Array(0) }]);
  };
  if (pending.live !== undefined) core.step({ change: pending.live, record, write });
  else core.stepByRows(decodeRows(pending.record.rows), { record, write });
  core.settlePendingCommit("merged");
  forgetLeavers(core);
  core.receipts.notePayment(pending.record.epoch, core.context.own.inboxId);
  return true;
}

/** Whether a queued message is of an epoch whose keys nobody keeps any more at this point of the log. */
export function isOutOfReach(core: GroupCore, queued: OutboxRecord): boolean {
  return core.mls.epoch > queued.epoch + BigInt(MLS_LIMITS.maxPastEpochs);
}

/**
 * Moves a message from the outbox to the messages when the envelope is its echo. One that was overtaken by so many commits
 * that no other member can read it stays in the outbox, to be encrypted anew.
 */
export function receiveOwnMessage(core: GroupCore, envelope: Envelope, hash: Uint8Array): boolean {
  const { store, own } = core.context;
  const sent = store.outbox.list(core.groupId).find((row) => equalBytes(hash, row.messageHash));
  if (sent === undefined || isOutOfReach(core, sent)) return false;
  const message = messageRecord(core, envelope, own, sent.plaintext);
  core.step({
    record: { cursor: envelope.id },
    write: (tables) => {
      tables.outbox.delete(core.groupId, sent.queueId);
      tables.messages.put(message);
      noteLeaveRequest(tables, message);
      noteExpiry(core, tables, message);
    },
  });
  core.receipts.notePayment(sent.epoch, own.inboxId);
  return true;
}
