import { decodeRows, equalBytes } from "@latchkey/mls";
import { requireIdentities, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import { renewalAfterOwn, writeRenewal } from "./renewal-journal.ts";
import { decodeIdentityPoints } from "../identity/identity-points.ts";
import type { IdentitiesAt } from "../identity/identity-view.ts";
import { judgeEnvelope } from "../identity/judge-envelope.ts";
import type { GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { Envelope } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { forgetLeavers } from "./leave-requests.ts";
import { keepMessage } from "./message-ids.ts";
import { messageRecord } from "./message.ts";
import { queueFollowUps, welcomeFollowUps } from "./queue-follow-ups.ts";
import { queuedCopy } from "./sent-copies.ts";

/** How an own message is known again in the log: SHA-256 of its bytes. */
export function messageHash(context: Pick<ClientContext, "crypto">, message: Uint8Array): Uint8Array {
  return context.crypto.suite(XMTP_CIPHER_SUITE).hash(message);
}

/**
 * Envelope time at which a new epoch begins, the same for those who come by its Welcome, and one false time of the node
 * lasts no longer than its epoch. Nothing contests it yet.
 */
export function epochStart({ createdNs }: Envelope): Pick<GroupRecord, "epochEnteredAtNs" | "contestedId"> {
  return { epochEnteredAtNs: createdNs, contestedId: 0n };
}

/** Whether an envelope of that hash is the echo of the own commit under way. */
export function isOwnCommit({ pendingCommit }: GroupCore, hash: Uint8Array): boolean {
  return pendingCommit !== undefined && equalBytes(hash, pendingCommit.record.messageHash);
}

/**
 * Merges the own commit when the envelope is its echo: it is the first valid one of its epoch, or it were gone. What time
 * decides is judged now, as every member does: identity updates have to exist at the envelope (IDN-01).
 *
 * @throws COMMIT_REJECTED when the members must refuse it; IDENTITY_PENDING; errors of the network.
 */
export async function receiveOwnCommit(
  core: GroupCore,
  envelope: Envelope,
  hash: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const pending = core.pendingCommit;
  if (pending === undefined || !isOwnCommit(core, hash)) return false;
  const points = decodeIdentityPoints(pending.record.identities);
  const judge = ({ identity }: IdentitiesAt) => requireIdentities(points, identity);
  await judgeEnvelope(core.context.directory, { points, envelopeNs: envelope.createdNs }, judge, signal);
  const followUps = await welcomeFollowUps(core.context, pending.record, envelope.id);
  const record = { cursor: envelope.id, lastCommitId: envelope.id, ...epochStart(envelope) };
  const write = (tables: Tables) => {
    tables.pendingCommits.delete(core.groupId);
    writeRenewal(tables, core.groupId, renewalAfterOwn(core.groupId, pending.record.renewal));
    queueFollowUps(tables, core.groupId, [...followUps, { kind: "refresh", payload: new Uint8Array(0) }]);
  };
  if (pending.live !== undefined) core.step({ change: pending.live, record, write });
  else core.stepByRows(decodeRows(pending.record.rows), { record, write });
  core.settlePendingCommit("merged");
  forgetLeavers(core);
  core.receipts.noteMessage(pending.record.epoch, core.context.own.inboxId);
  return true;
}

/**
 * Moves a message from the outbox to the messages when the envelope is its echo, whichever copy it is of. One that was
 * overtaken by so many commits that no other member can read it stays in the outbox, to be encrypted anew.
 */
export function receiveOwnMessage(core: GroupCore, envelope: Envelope, hash: Uint8Array): boolean {
  const queued = queuedCopy(core, hash);
  if (queued === undefined) return false;
  const { row, epoch } = queued;
  const { own } = core.context;
  const message = messageRecord(core, envelope, own, row.plaintext);
  core.step({
    record: { cursor: envelope.id },
    write: (tables) => {
      tables.outbox.delete(core.groupId, row.queueId);
      keepMessage(core, tables, message, row.keyMark);
    },
  });
  core.receipts.noteMessage(epoch, own.inboxId);
  return true;
}
