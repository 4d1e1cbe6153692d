import { encodeMessageContent, JOIN_RECEIPT_CONTENT_TYPE } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { reportInBackground } from "../defects.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { GroupCore } from "./group-core.ts";
import { outgoing, syncLocked } from "./log.ts";
import { newIdempotencyKey } from "./message.ts";

/**
 * Sends the receipt that is owed, at once, unless another member has paid it meanwhile; inside of `exclusive`. The message
 * key is spent on disk before it leaves, and it is sent once: whether it arrives matters to nobody but the joiner, whom
 * the next message serves as well.
 */
async function sendReceipt(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, receipts, groupId } = core;
  if (receipts.isOwed) await syncLocked(core, signal);
  if (!receipts.isOwed || !core.mayWrite || context.clock.nowNs() < receipts.nextNs) return;
  receipts.notePaid(context.clock.nowNs());
  const content = { contentType: JOIN_RECEIPT_CONTENT_TYPE, body: new Uint8Array(0) };
  const { plaintext } = encodeMessageContent(groupId, content, newIdempotencyKey(context));
  const { message, change } = await core.mls.encryptApplication(plaintext, { despiteProposals: true });
  core.step({ change });
  await context.transport.sendGroupMessages([outgoing(context, groupId, message, false)], signal);
}

/**
 * Pays what is owed after a synchronization, without the delay of those who stay. Its failures are none of the
 * synchronization, and leave it owed.
 */
export async function payReceipt(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  if (!core.receipts.isOwed || core.receipts.isScheduled) return;
  try {
    await core.exclusive(() => sendReceipt(core, signal), signal);
  } catch (error) {
    if (!isAborted(signal)) reportInBackground(core.context, core.groupId, error);
  }
}

/**
 * Pays what is owed after a while, for members that are online: the more of them there may be, the longer, so that
 * mostly one answers and the others see it in time.
 */
export function scheduleReceipt(core: GroupCore, signal: AbortSignal): void {
  const { receipts, context } = core;
  if (!receipts.isOwed || receipts.isScheduled) return;
  receipts.isScheduled = true;
  const { receiptSpreadMs, maxReceiptDelayMs } = CLIENT_LIMITS;
  const window = Math.min(maxReceiptDelayMs, receiptSpreadMs * core.mls.memberCount);
  const pauseMs = Number(receipts.nextNs - context.clock.nowNs()) / 1e6;
  const delayMs = Math.max(0, pauseMs) + receiptSpreadMs + window * context.random();
  void context.clock
    .sleep(delayMs, signal)
    .then(() => core.exclusive(() => sendReceipt(core, signal), signal))
    .catch((error: unknown) => {
      if (!isAborted(signal)) reportInBackground(context, core.groupId, error);
    })
    .finally(() => {
      receipts.isScheduled = false;
    });
}
