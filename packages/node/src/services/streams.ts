import type { HandlerContext } from "@connectrpc/connect";
import { NodeError } from "../errors.ts";
import type { Notifier } from "../notifier.ts";
import type { TopicLog } from "../storage/storage.ts";
import { follow, type Followed } from "./follow.ts";
import { PEER, type LogName, type NodeRuntime } from "./runtime.ts";

/** Open streams per client address. */
export type OpenStreams = Map<string, number>;

/** What a subscription belongs to. */
export interface SubscriptionSource {
  readonly runtime: NodeRuntime;
  readonly streams: OpenStreams;
  readonly name: LogName;
  readonly log: TopicLog;
  readonly notifier: Notifier;
  readonly context: HandlerContext;
}

/** Follows topics for one client, within the bound of streams per address. */
export async function* subscribe(source: SubscriptionSource, topics: readonly Followed[]): ReturnType<typeof follow> {
  const { streams, name, log, notifier } = source;
  const { limits, metrics } = source.runtime;
  const peer = source.context.values.get(PEER);
  const open = streams.get(peer) ?? 0;
  if (open >= limits.streamsPerAddress) {
    metrics.rateLimited.inc({ scope: "streams" });
    throw new NodeError("RATE_LIMITED", `this address has ${open} open streams, the most it may; close some`, {
      retryable: true,
      retryAfterMs: 1_000,
    });
  }

  streams.set(peer, open + 1);
  metrics.streamsOpen.inc({ log: name });
  try {
    const { signal } = source.context;
    yield* follow(topics, {
      log,
      notifier,
      signal,
      pageEntries: limits.pageEntries,
      pageBytes: limits.streamPageBytes,
    });
  } finally {
    metrics.streamsOpen.dec({ log: name });
    const left = (streams.get(peer) ?? 1) - 1;
    if (left === 0) streams.delete(peer);
    else streams.set(peer, left);
  }
}
