import { asError, isAborted } from "../clock.ts";
import { asLatchkeyError, isRetryable } from "../errors.ts";
import { afterEnvelope } from "./after-reading.ts";
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
 * @throws what the store throws, and refusals of the node. A defect is tried again as a failure of the network is.
 */
export async function* streamRecords<R extends { readonly id: bigint }>(
  core: GroupCore,
  listAfter: (id: bigint) => readonly R[],
  signal: AbortSignal | undefined,
): AsyncGenerator<R, void, void> {
  const { context, groupId } = core;
  const closing = new AbortController();
  const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
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
          if (isOver()) return;
          await afterEnvelope(core, stop);
        }
      } catch (error) {
        if (isAborted(stop)) return;
        if (!isRetryable(asLatchkeyError(error))) throw error;
      }
      if (!isOver()) await context.clock.sleep(backoff.nextMs(), stop).catch(() => undefined);
    }
  } finally {
    closing.abort(asError("the stream was closed"));
  }
}
