import { asError, isAborted } from "../clock.ts";
import { asLatchkeyError, isRetryable } from "../errors.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { afterEnvelope } from "./after-reading.ts";
import { scheduleDuty } from "./duty.ts";
import { FOLLOW_OWN, followWhileListening } from "./follow-identities.ts";
import type { GroupCore } from "../group/group-core.ts";
import { newBackoff } from "../group/sync.ts";
import { tellFailed } from "../group/queue.ts";
import { receiveEnvelopes } from "../group/receive.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { inBatches } from "../transport/in-batches.ts";

/**
 * What happens in a group from now on, as it comes: records that reading the log adds to one table. What was sent while
 * nobody listened and was not synced counts as new. Ends when the signal is aborted or this installation is removed; reconnects by itself.
 *
 * @throws IDENTITY_REVOKED once this installation was revoked; what the store throws, and refusals of the node. A defect is tried again as a failure of the network is.
 */
export async function* streamRecords<R extends { readonly id: bigint }>(
  core: GroupCore,
  listAfter: (id: bigint) => readonly R[],
  signal: AbortSignal | undefined,
): AsyncGenerator<R, void, void> {
  const { context, groupId } = core;
  const closing = new AbortController();
  const { revocation, ownGrowth } = context;
  const stop = AbortSignal.any([...(signal === undefined ? [] : [signal]), closing.signal, revocation.signal]);
  const batches = { maxItems: CLIENT_LIMITS.pageSize, pause: () => context.clock.sleep(0, stop) };
  let backoff = newBackoff(context);
  const isOver = () => isAborted(stop) || !core.isRead;
  let shown = core.record.cursor;
  function* unseen(): Generator<R, void, void> {
    // A false id of the node was found out, and what it hid was read.
    if (core.record.cursor < shown) shown = core.record.cursor;
    for (const record of listAfter(shown)) {
      shown = record.id;
      yield record;
    }
  }
  const followOwn = () => scheduleDuty(core, FOLLOW_OWN, stop);
  ownGrowth.add(followOwn);
  void followWhileListening(core, stop);
  try {
    while (!isOver()) {
      try {
        // What a synchronization has read while nobody was subscribed comes with no envelope any more.
        yield* unseen();
        await afterEnvelope(core, stop);
        yield* unseen();
        const position = { topic: groupId, afterId: core.record.cursor };
        const subscribe = (until: AbortSignal) => context.transport.subscribeGroupMessages(position, until);
        for await (const envelopes of inBatches(subscribe, batches, stop)) {
          await core.exclusive(() => receiveEnvelopes(core, envelopes, stop), stop);
          tellFailed(core);
          backoff = newBackoff(context);
          yield* unseen();
          if (isOver()) break;
          await afterEnvelope(core, stop);
        }
      } catch (error) {
        if (isAborted(stop)) break;
        if (!isRetryable(asLatchkeyError(error))) throw error;
      }
      if (!isOver()) await context.clock.sleep(backoff.nextMs(), stop).catch(() => undefined);
    }
    requireNotRevoked(context);
  } finally {
    ownGrowth.delete(followOwn);
    closing.abort(asError("the stream was closed"));
  }
}
