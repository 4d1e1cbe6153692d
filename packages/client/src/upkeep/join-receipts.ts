import { encodeWith, joinReceiptCodec } from "@latchkey/xmtp";
import type { GroupCore } from "../group/group-core.ts";
import { outgoing, syncLocked } from "../group/sync.ts";
import { newIdempotencyKey } from "../group/message.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Duty } from "./duty.ts";

/**
 * Sends the due receipt, unless another member has sent a message meanwhile; inside of `exclusive`. The message key is
 * spent on disk before the receipt leaves. It is sent once: the next message of any member serves the joiner as well.
 */
async function sendReceipt(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, receipts, groupId } = core;
  if (receipts.isDue) await syncLocked(core, signal);
  if (!receipts.isDue || !core.mayWrite || context.clock.nowNs() < receipts.nextNs) return;
  receipts.noteSent(context.clock.nowNs());
  const { plaintext } = encodeWith(joinReceiptCodec, undefined, groupId, newIdempotencyKey(context));
  const { message, change } = await core.mls.encryptApplication(plaintext, { despiteProposals: true });
  core.step({ change });
  await context.transport.sendGroupMessages([outgoing(context, groupId, message, false)], signal);
}

/** Milliseconds before a listening member sends the due receipt: the more members, the longer, so that mostly one sends. */
function delayMs(core: GroupCore): number | undefined {
  const { receipts, context, mls } = core;
  if (!receipts.isDue || !core.mayWrite) return undefined;
  const { receiptSpreadMs, maxReceiptDelayMs } = CLIENT_LIMITS;
  const window = Math.min(maxReceiptDelayMs, receiptSpreadMs * mls.memberCount);
  const pauseMs = Number(receipts.nextNs - context.clock.nowNs()) / 1e6;
  return Math.max(0, pauseMs) + receiptSpreadMs + window * context.random();
}

/** Answers a join by invite with a message of its epoch, which proves to the joiner that members follow. */
export const JOIN_RECEIPT: Duty = {
  name: "join-receipt",
  run: async (core, signal) => {
    if (core.receipts.isDue) await core.exclusive(() => sendReceipt(core, signal), signal);
  },
  delayMs,
};
