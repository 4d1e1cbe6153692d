import { LatchkeyError, toHex } from "@latchkey/mls";
import { encodeTextMessage, XMTP_LIMITS, type OutgoingContent } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import type { MessageRecord, OutboxRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";
import { isRefusal, outgoing, readBack, syncLocked } from "./log.ts";
import { newIdempotencyKey } from "./message.ts";
import { enqueue } from "./outbox.ts";
import { isOutOfReach } from "./own-echo.ts";

/**
 * Sends a text and returns it as it stands in the log.
 *
 * When the network fails underway the message stays in the outbox and leaves with the next sync, as the same bytes.
 *
 * @throws NOT_A_MEMBER; NODE_UNREACHABLE (the message is queued); NODE_REJECTED and RATE_LIMITED (it is not).
 */
export function sendText(core: GroupCore, text: string, signal?: AbortSignal): Promise<MessageRecord> {
  return sendContent(core, (groupId, idempotencyKey) => encodeTextMessage(groupId, text, idempotencyKey), signal);
}

/** As `sendText`, for any content. */
export async function sendContent(
  core: GroupCore,
  encodeContent: (groupId: Uint8Array, idempotencyKey: string) => OutgoingContent,
  signal?: AbortSignal,
): Promise<MessageRecord> {
  const { plaintext, messageId } = encodeContent(core.groupId, newIdempotencyKey(core.context));
  if (plaintext.length > XMTP_LIMITS.maxContentBytes) {
    throw clientError("NOT_PERMITTED", `a message has at most ${XMTP_LIMITS.maxContentBytes} bytes; send it in parts`);
  }
  return core.exclusive(() => sendLocked(core, { plaintext, messageId: toHex(messageId) }, signal), signal);
}

/**
 * Catches up first, so that the message goes to those who are members now. Without a network that has to wait: the
 * message is queued all the same, and encrypted anew should the group have moved on when it leaves.
 */
async function trySync(core: GroupCore, signal: AbortSignal | undefined): Promise<LatchkeyError | undefined> {
  try {
    await syncLocked(core, signal);
    return undefined;
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code !== "NODE_UNREACHABLE") throw error;
    return error;
  }
}

async function sendLocked(
  core: GroupCore,
  text: Pick<OutboxRecord, "plaintext" | "messageId">,
  signal: AbortSignal | undefined,
): Promise<MessageRecord> {
  const { context, groupId } = core;
  const failure = await trySync(core, signal);
  core.requireActive();
  const queueId = (context.store.outbox.list(groupId).at(-1)?.queueId ?? 0n) + 1n;
  const before = core.record.cursor;
  const queued = await enqueue(core, { groupId, queueId, ...text });
  if (failure !== undefined) throw failure;
  try {
    await context.transport.sendGroupMessages([outgoing(context, groupId, queued.message, true)], signal);
  } catch (error) {
    if (isRefusal(error)) core.step({ write: (tables) => tables.outbox.delete(groupId, queueId) });
    throw error;
  }
  const waiting = () => context.store.outbox.get(groupId, queueId);
  const isSettled = () => {
    const row = waiting();
    return row === undefined || isOutOfReach(core, row);
  };
  await readBack(core, isSettled, signal);
  // Too many commits came in between for anybody to read it: it is said again, in the present epoch.
  if (waiting() !== undefined) await syncLocked(core, signal);
  if (waiting() !== undefined) {
    throw clientError("NODE_UNREACHABLE", "the group moves faster than this message; it leaves with a later sync");
  }
  const sent = context.store.messages
    .listAfter(groupId, before)
    .find(({ messageId }) => messageId === queued.messageId);
  if (sent === undefined) {
    throw clientError("NOT_A_MEMBER", "this installation was removed from the group before its message arrived");
  }
  return sent;
}
