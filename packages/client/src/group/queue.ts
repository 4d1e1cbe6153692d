import { tell } from "../callbacks.ts";
import { clientError } from "../errors.ts";
import type { QueuedMessage } from "../store/queued-message.ts";
import type { OutboxRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";
import { keptId } from "./message-ids.ts";
import { contentOf, deleteQueued, isLeaveRequest, updateQueued } from "./outbox.ts";

/** What cancelling a message came to. */
export interface Cancellation {
  /** False when the message was sent already, and stands in `messages()`. */
  readonly cancelled: boolean;
  /** False when nobody can ever read it. */
  readonly mayHaveLeft: boolean;
}

/** Rows of the queue as people see it. */
function queuedRows({ context, groupId }: GroupCore): OutboxRecord[] {
  return context.store.outbox.list(groupId).filter((row) => row.state !== "cancelled" && !isLeaveRequest(row));
}

function shown(core: GroupCore, row: OutboxRecord): QueuedMessage {
  const { text, contentType, content } = contentOf(core, row);
  const { messageId, queuedAtNs, errorCode, mayHaveLeft } = row;
  const state = row.state === "failed" ? "failed" : "waiting";
  return {
    id: messageId,
    text,
    contentType,
    content,
    queuedAtNs,
    state,
    mayHaveLeft: mayHaveLeft === 1n,
    error: errorCode,
  };
}

/** Messages that wait and messages that failed, in the order of sending. */
export function queuedMessages(core: GroupCore): QueuedMessage[] {
  return queuedRows(core).map((row) => shown(core, row));
}

/**
 * Takes a message out of the queue: it is sent no more. When a copy may have left, members may still read it; should that
 * copy come back, the message stands in `messages()` as sent.
 *
 * @throws ARGUMENT_INVALID for an id that is neither queued nor sent by this installation.
 */
export function cancelQueued(core: GroupCore, id: string, signal?: AbortSignal): Promise<Cancellation> {
  return core.exclusive(async () => {
    const messageId = id.toLowerCase();
    const row = queuedRows(core).find((queued) => queued.messageId === messageId);
    if (row === undefined) return notQueued(core, messageId);
    const mayHaveLeft = row.mayHaveLeft === 1n;
    // Of a membership that is over nothing comes back.
    if (mayHaveLeft && core.isRead) updateQueued(core, { ...row, state: "cancelled", errorCode: undefined });
    else deleteQueued(core, row);
    return { cancelled: true, mayHaveLeft };
  }, signal);
}

function notQueued({ context, groupId }: GroupCore, messageId: string): Cancellation {
  const senderInstallationId = context.own.installationId;
  if (keptId(context, groupId, { senderInstallationId, messageId }) !== undefined) {
    return { cancelled: false, mayHaveLeft: true };
  }
  throw clientError("ARGUMENT_INVALID", "no message of this id is queued; take one of `group.queue()`", {
    data: { argument: "id" },
  });
}

/** Tells the application of messages that failed, those it was not told of yet. */
export function tellFailed(core: GroupCore): void {
  const { store, onMessageFailed } = core.context;
  if (onMessageFailed === undefined || store.outbox.count(core.groupId) === 0) return;
  const untold = store.outbox.list(core.groupId).filter(({ state, told }) => state === "failed" && told === 0n);
  for (const row of untold) {
    tell(onMessageFailed, { groupId: core.id, message: shown(core, row) });
    updateQueued(core, { ...row, told: 1n });
  }
}
