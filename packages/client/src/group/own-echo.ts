import { create, toBinary } from "@bufbuild/protobuf";
import {
  decodeExact,
  decodeKeyPackage,
  decodeRows,
  encode,
  encodeKeyPackage,
  equalBytes,
  type KeyPackage,
} from "@latchkey/mls";
import { wrapWelcome, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { WelcomeMessageInputSchema } from "@latchkey/xmtp/proto";
import type { ClientContext } from "../context.ts";
import type { FollowUpRecord, GroupRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { Envelope } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { messageRecord } from "./message.ts";

/** How an own message is known again in the log: SHA-256 of its bytes. */
export function messageHash(context: ClientContext, message: Uint8Array): Uint8Array {
  return context.crypto.suite(XMTP_CIPHER_SUITE).hash(message);
}

/** Envelope time at which a new epoch begins; never before the one of the epoch it follows. */
export function epochStart(core: GroupCore, envelope: Envelope): Pick<GroupRecord, "epochEnteredAtNs"> {
  const { epochEnteredAtNs } = core.record;
  return { epochEnteredAtNs: envelope.createdNs > epochEnteredAtNs ? envelope.createdNs : epochEnteredAtNs };
}

/** Storage form of the key packages that a Welcome is for. */
export function encodeRecipients(keyPackages: readonly KeyPackage[]): Uint8Array {
  return encode(keyPackages, (writer) => writer.vector(keyPackages, encodeKeyPackage));
}

/** Reads what `encodeRecipients` wrote; throws DecodeError. */
export function decodeRecipients(bytes: Uint8Array): KeyPackage[] {
  return decodeExact(bytes, (reader) => reader.vector(decodeKeyPackage));
}

/** A follow-up before it has a place in the queue. */
export type NewFollowUp = Pick<FollowUpRecord, "kind" | "payload">;

/**
 * The Welcomes of a sequenced commit, wrapped and ready to be sent: each says that its group is read from behind the
 * commit (REV-02).
 */
export async function welcomeFollowUps(
  context: ClientContext,
  commit: { readonly welcome: Uint8Array | undefined; readonly recipients: Uint8Array },
  commitId: bigint,
): Promise<NewFollowUp[]> {
  const { welcome } = commit;
  if (welcome === undefined) return [];
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const followUps: NewFollowUp[] = [];
  for (const { initKey, leafNode } of decodeRecipients(commit.recipients)) {
    const wrapped = await wrapWelcome({ suite, initKey, welcome, messageCursor: commitId });
    const value = { ...wrapped, installationKey: leafNode.signatureKey };
    const input = create(WelcomeMessageInputSchema, { version: { case: "v1", value } });
    followUps.push({ kind: "welcome", payload: toBinary(WelcomeMessageInputSchema, input) });
  }
  return followUps;
}

/** Appends follow-ups to the group's queue. */
export function queueFollowUps(tables: Tables, groupId: Uint8Array, followUps: readonly NewFollowUp[]): void {
  let followUpId = tables.followUps.list(groupId).at(-1)?.followUpId ?? 0n;
  for (const followUp of followUps) {
    followUpId++;
    tables.followUps.put({ groupId, followUpId, attempts: 0n, ...followUp });
  }
}

/** Merges the own commit when the envelope is its echo: it is the first valid one of its epoch, or it were gone. */
export async function receiveOwnCommit(core: GroupCore, envelope: Envelope, hash: Uint8Array): Promise<boolean> {
  const pending = core.pendingCommit;
  if (pending === undefined || !equalBytes(hash, pending.record.messageHash)) return false;
  const followUps = await welcomeFollowUps(core.context, pending.record, envelope.id);
  const record = { cursor: envelope.id, ...epochStart(core, envelope) };
  const write = (tables: Tables) => {
    tables.pendingCommits.delete(core.groupId);
    queueFollowUps(tables, core.groupId, [...followUps, { kind: "refresh", payload: new Uint8Array(0) }]);
  };
  if (pending.live !== undefined) core.step({ change: pending.live, record, write });
  else core.stepByRows(decodeRows(pending.record.rows), { record, write });
  core.settlePendingCommit("merged");
  return true;
}

/** Moves a message from the outbox to the messages when the envelope is its echo. */
export function receiveOwnMessage(core: GroupCore, envelope: Envelope, hash: Uint8Array): boolean {
  const { store, own } = core.context;
  const sent = store.outbox.list(core.groupId).find((row) => equalBytes(hash, row.messageHash));
  if (sent === undefined) return false;
  const message = messageRecord(core.groupId, envelope, own, sent.plaintext);
  core.step({
    record: { cursor: envelope.id },
    write: (tables) => {
      tables.outbox.delete(core.groupId, sent.queueId);
      tables.messages.put(message);
    },
  });
  return true;
}
