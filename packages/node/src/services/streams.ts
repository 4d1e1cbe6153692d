import type { HandlerContext } from "@connectrpc/connect";
import { bytesKey } from "@latchkey/mls";
import { requireAtMost } from "../errors.ts";
import type { TopicLog } from "../storage/storage.ts";
import { follow, type Cursors } from "./follow.ts";
import { ANSWER, PEER, type LogName, type NodeRuntime } from "./runtime.ts";

/** What a subscription belongs to. */
export interface SubscriptionSource {
  readonly runtime: NodeRuntime;
  readonly name: LogName;
  readonly log: TopicLog;
  readonly context: HandlerContext;
}

/** Takes the filters out of a request, which is kept as long as its stream: the earliest cursor of each topic remains. */
export function takeFilters<F extends { idCursor: bigint }>(
  request: { filters: F[] },
  limit: number,
  topicOf: (filter: F) => Uint8Array,
): Cursors {
  const { filters } = request;
  request.filters = [];
  requireAtMost("the request", filters.length, limit, "filters");
  const cursors: Cursors = new Map();
  for (const filter of filters) {
    const key = bytesKey(topicOf(filter));
    const known = cursors.get(key);
    if (known === undefined || filter.idCursor < known) cursors.set(key, filter.idCursor);
  }
  return cursors;
}

/** Follows topics for one client, within the quotas of streams and filters. */
export async function* subscribe(source: SubscriptionSource, cursors: Cursors): ReturnType<typeof follow> {
  const { name, log, context } = source;
  const { limits, metrics, quotas } = source.runtime;
  const peer = context.values.get(PEER);
  const leases = [quotas.streams, quotas.filters].map((quota) => quota.lease(peer, () => undefined));
  metrics.streamsOpen.inc({ log: name });
  try {
    for (const [index, lease] of leases.entries()) {
      lease.shield();
      lease.add(index === 0 ? 1 : cursors.size);
    }
    yield* follow(cursors, {
      log,
      signal: context.signal,
      lease: context.values.get(ANSWER),
      pageEntries: limits.pageEntries,
      pageBytes: limits.streamPageBytes,
    });
  } finally {
    metrics.streamsOpen.dec({ log: name });
    for (const lease of leases) lease.end();
  }
}
