import { LatchkeyError } from "@latchkey/mls";
import { senderHmac, XMTP_CIPHER_SUITE } from "@latchkey/xmtp";
import { Backoff } from "../clock.ts";
import type { ClientContext } from "./client-context.ts";
import { clientError, codeOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { resumePages, type OutgoingMessage } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { forgetLeavers } from "./leave-requests.ts";
import { lookAhead } from "./look-ahead.ts";
import { failQueued, renewedOutbox, updateQueued } from "./outbox.ts";
import { tellFailed } from "./queue.ts";
import { receiveEnvelopes } from "./receive.ts";

/** A message of this installation as it goes to the node. `shouldPush` only for what people should be woken by. */
export function outgoing(
  context: ClientContext,
  groupId: Uint8Array,
  data: Uint8Array,
  shouldPush: boolean,
): OutgoingMessage {
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const epochSeconds = context.time.bestNs() / 1_000_000_000n;
  const hmac = senderHmac({ suite, root: context.own.hmacRoot, groupId, epochSeconds, data });
  return { data, senderHmac: hmac, shouldPush };
}

/** The back-off of this client: decorrelated jitter between 40 ms and 5 s. */
export function newBackoff(context: ClientContext): Backoff {
  return new Backoff(context.random, CLIENT_LIMITS.backoffBaseMs, CLIENT_LIMITS.backoffCapMs);
}

/**
 * Reads the group's log from its cursor to its end, or to an envelope that waits for an identity update (IDN-02); inside of
 * `exclusive`.
 */
export async function readLog(core: GroupCore, signal?: AbortSignal): Promise<void> {
  if (!core.isRead) return;
  forgetLeavers(core);
  const { transport } = core.context;
  const { cursor: afterId, checkedId } = core.record;
  let checked: { readonly checkedId: bigint } | undefined;
  const onChecked = (isThere: boolean) => {
    if (isThere) checked = { checkedId: afterId };
    else core.step({ record: { cursor: checkedId } });
  };
  const position = { topic: core.mls.groupId, afterId, checkedId, onChecked };
  const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
  try {
    for await (const page of resumePages(query, position, signal)) {
      // Written with what comes behind it; where nothing does, the next reading looks again.
      if (checked !== undefined && page.length > 0) core.pass(checked);
      checked = page.length > 0 ? undefined : checked;
      await receiveEnvelopes(core, page, signal);
    }
    core.identityWait = undefined;
    // Read to its end: what the log was seen to have is settled, or was never there.
    core.seenAhead.clear();
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code !== "IDENTITY_PENDING") throw error;
    core.identityWait = error;
    await lookAhead(core, signal);
  }
}

/** Throws IDENTITY_PENDING while the group waits for an identity update: what lies behind it cannot be read yet. */
function requireNoWait({ identityWait }: GroupCore): void {
  if (identityWait !== undefined) throw identityWait;
}

/**
 * Sends again what of our own is not in the log; the node drops what it has. A commit that it refuses for good is
 * forgotten and a message fails, or it would stand in the way of everything that follows.
 */
async function resend(core: GroupCore, signal: AbortSignal | undefined): Promise<boolean> {
  const { context, groupId, pendingCommit } = core;
  const queued = await renewedOutbox(core);
  if (pendingCommit !== undefined) {
    const message = outgoing(context, groupId, pendingCommit.record.message, false);
    await sendUnlessRefused(core, message, () => dropPendingCommit(core), signal);
  }
  for (const row of queued) {
    // On disk before it leaves: whoever cancels it is told.
    const leaving = row.mayHaveLeft === 1n ? row : updateQueued(core, { ...row, mayHaveLeft: 1n });
    // An earlier copy may have arrived, so that the row stays to know it again.
    const fail = () => core.step({ write: (tables) => failQueued(tables, leaving, "NODE_REJECTED") });
    await sendUnlessRefused(core, outgoing(context, groupId, leaving.message, leaving.shouldPush === 1n), fail, signal);
  }
  return pendingCommit !== undefined || queued.length > 0;
}

async function sendUnlessRefused(
  core: GroupCore,
  message: OutgoingMessage,
  refused: () => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await core.context.transport.sendGroupMessages([message], signal);
  } catch (error) {
    if (codeOf(error) !== "NODE_REJECTED") throw error;
    refused();
  }
}

/** Forgets the own commit under way, which the node has refused. */
export function dropPendingCommit(core: GroupCore): void {
  core.step({ write: (tables) => tables.pendingCommits.delete(core.groupId) });
  core.settlePendingCommit("lost");
}

/**
 * Reads to the end of the log and then sends again whatever of our own is not in it; inside of `exclusive`.
 *
 * After a crash or a lost answer nobody knows whether a message arrived: asking the log first and repeating the same
 * bytes is safe either way.
 */
export async function syncLocked(core: GroupCore, signal?: AbortSignal): Promise<void> {
  await readLog(core, signal);
  if (core.mayWrite && (await resend(core, signal))) await readLog(core, signal);
  tellFailed(core);
}

/**
 * Reads until `done`, for something the node has taken; throws NODE_UNREACHABLE when it does not show up, and
 * IDENTITY_PENDING when it lies behind an envelope that waits.
 */
export async function readBack(core: GroupCore, done: () => boolean, signal?: AbortSignal): Promise<void> {
  const backoff = newBackoff(core.context);
  for (let attempt = 0; attempt < CLIENT_LIMITS.maxReadBackAttempts; attempt++) {
    await readLog(core, signal);
    if (done()) return;
    requireNoWait(core);
    await core.context.clock.sleep(backoff.nextMs(), signal);
  }
  throw clientError("NODE_UNREACHABLE", "the node took a message but does not show it; it is looked for again later");
}

/** True for answers by which the node says that it has not stored the message. */
export function isRefusal(error: unknown): boolean {
  return codeOf(error) === "NODE_REJECTED" || codeOf(error) === "RATE_LIMITED";
}
