import { fromHex, toHex, utf8 } from "@latchkey/mls";
import { XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import type { MessageIdRecord, MessageRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import { noteExpiry } from "./disappearing.ts";
import type { GroupCore } from "./group-core.ts";
import { noteLeaveRequest } from "./leave-requests.ts";

/** Bytes of a mark: nobody else has the key, so that half a hash is enough. */
const MARK_BYTES = 16;

/** What marks are made with. */
type Marking = Pick<ClientContext, "crypto" | "own">;

/**
 * A keyed hash, so that a sealed database says nothing of who sent what. Its key is the root of `sender_hmac` keys, which
 * never leaves the installation.
 */
function markOf({ crypto, own }: Marking, purpose: string, ...parts: readonly string[]): Uint8Array {
  const input = utf8([`latchkey ${purpose}`, ...parts].join("\t"));
  return crypto.suite(XMTP_CIPHER_SUITE).hmac(own.hmacRoot, input).slice(0, MARK_BYTES);
}

type Sent = Pick<MessageRecord, "senderInstallationId" | "messageId">;

function messageMark(marking: Marking, { senderInstallationId, messageId }: Sent): Uint8Array {
  return markOf(marking, "message", senderInstallationId, messageId);
}

/** Mark of a caller's idempotency key. */
export function keyMark(marking: Marking, idempotencyKey: string): Uint8Array {
  return markOf(marking, "idempotency key", idempotencyKey);
}

/**
 * The idempotency key inside a message for one that the caller gave: another one on each installation, because XMTP's
 * message id does not name the sender.
 */
export function wireKey(marking: Marking, idempotencyKey: string): string {
  return toHex(markOf(marking, "idempotency key of a message", idempotencyKey));
}

/** Row of a message that this installation has kept, found by the mark of its sender and id. */
export function keptId(context: ClientContext, groupId: Uint8Array, sent: Sent): MessageIdRecord | undefined {
  return context.store.messageIds.get(groupId, messageMark(context, sent));
}

/**
 * Keeps a message with all that goes with it, unless one of the same sender installation and message id was kept before:
 * a sender repeats a message whose fate it does not know, and readers show it once.
 */
export function keepMessage(core: GroupCore, tables: Tables, message: MessageRecord, key?: Uint8Array): void {
  dropBroughtCopy(core.context, tables, message);
  if (!noteMessageId(core.context, tables, message, key)) return;
  tables.messages.put(message);
  noteLeaveRequest(tables, message);
  noteExpiry(core, tables, message);
}

/** What the log has takes the place of a message that an own device brought: that one proves nothing. */
function dropBroughtCopy(marking: Marking, { messageIds, messages }: Tables, message: MessageRecord): void {
  const { groupId } = message;
  const mark = messageMark(marking, message);
  const known = messageIds.get(groupId, mark);
  if (known === undefined || messages.get(groupId, known.id)?.broughtBy === undefined) return;
  messages.delete(groupId, known.id);
  messageIds.delete(groupId, mark);
}

/**
 * Keeps a message that an own device brought, unless the log has shown it, or something else at its place. False when it was
 * not kept.
 */
export function keepBrought({ context, record }: GroupCore, tables: Tables, message: MessageRecord): boolean {
  const { groupId, id } = message;
  // What lies ahead is read from the log itself.
  if (id > record.cursor || tables.messages.get(groupId, id) !== undefined) return false;
  if (!noteMessageId(context, tables, message)) return false;
  tables.messages.put(message);
  return true;
}

/** False when the message was kept before. */
function noteMessageId(marking: Marking, { messageIds }: Tables, message: MessageRecord, key?: Uint8Array): boolean {
  const { groupId, id, sentAtNs } = message;
  const mark = messageMark(marking, message);
  const known = messageIds.get(groupId, mark);
  const row = known ?? { groupId, mark, messageId: fromHex(message.messageId), id, sentAtNs };
  if (known === undefined) messageIds.put(row);
  if (key !== undefined && key.length > 0) messageIds.put({ ...row, mark: key });
  return known === undefined;
}

/**
 * Notes the messages of a database that an earlier version wrote, once, a group a transaction. A second copy of a message
 * that such a version kept goes.
 */
export function markKeptMessages(context: ClientContext): void {
  const { store } = context;
  const self = store.identity.get("self");
  if (self === undefined || self.messagesMarked === 1n) return;
  for (const { groupId } of store.groups.list()) {
    const messages = store.messages.list(groupId);
    if (messages.length === 0) continue;
    store.transaction((tables) => {
      for (const message of messages) {
        // A crash may have left the flag unwritten: then the row names this very message.
        const isFirst = noteMessageId(context, tables, message);
        if (isFirst || tables.messageIds.get(groupId, messageMark(context, message))?.id === message.id) continue;
        tables.messages.delete(groupId, message.id);
      }
    });
  }
  store.transaction(({ identity }) => identity.put({ ...self, messagesMarked: 1n }));
}
