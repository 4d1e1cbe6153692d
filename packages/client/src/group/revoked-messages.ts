import { LatchkeyError } from "@latchkey/mls";
import { leaveRequestCodec } from "@latchkey/xmtp";
import type { KnownState } from "../identity/replay-log.ts";
import { isRevokedAt } from "../identity/revocations.ts";
import type { MessageRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { GroupCore } from "./group-core.ts";
import type { GroupRegistry } from "./group-registry.ts";

/*
 * A message that was stamped after the revocation of its sender's installation is not shown. The revocation may be learnt
 * after the message was read: then the message is deleted.
 */

/** Deletes what a revoked installation sent in every group that its inbox is in, with the log that shows the revocation. */
export function deleteRevokedMessages(
  groups: GroupRegistry,
  tables: Tables,
  inboxId: string,
  states: readonly KnownState[],
): void {
  const isRevoked = (message: MessageRecord) =>
    message.senderInboxId === inboxId && isRevokedAt(states, message.senderInstallationId, message.sentAtNs);
  for (const { groupId } of tables.groups.list()) {
    // Strangers register and revoke without end; only an inbox that is in a group costs a look at its messages.
    if (!hasLeaf(groups, groupId, inboxId)) continue;
    deleteMessages(tables, tables.messages.list(groupId).filter(isRevoked));
  }
}

/** A group whose rows were damaged shows no messages, and fails no reading of an identity log. */
function hasLeaf(groups: GroupRegistry, groupId: Uint8Array, inboxId: string): boolean {
  try {
    return (groups.get(groupId)?.mls.leavesOf(inboxId) ?? []).length > 0;
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    return false;
  }
}

/**
 * The messages without those of revoked installations, which are deleted, as far as the logs of their senders are in
 * memory: this finds what an inbox sent that was no member when its revocation was learnt. Asks nobody.
 */
export function withoutRevoked(core: GroupCore, messages: readonly MessageRecord[]): readonly MessageRecord[] {
  const { directory } = core.context;
  const isRevoked = ({ senderInboxId, senderInstallationId, sentAtNs }: MessageRecord) =>
    directory.isKnownRevoked(senderInboxId, senderInstallationId, sentAtNs);
  const revoked = messages.filter(isRevoked);
  if (revoked.length === 0) return messages;
  core.step({ write: (tables) => deleteMessages(tables, revoked) });
  return messages.filter((message) => !revoked.includes(message));
}

function deleteMessages(tables: Tables, messages: readonly MessageRecord[]): void {
  for (const { groupId, id, contentType, senderInboxId } of messages) {
    tables.messages.delete(groupId, id);
    if (contentType === leaveRequestCodec.type) tables.leaveRequests.delete(groupId, senderInboxId);
  }
}
