import { setImmediate } from "node:timers/promises";
import { bytesKey } from "@latchkey/mls";
import type { Notifier } from "../notifier.ts";
import type { Envelope, TopicLog } from "../storage/storage.ts";

/** A topic to follow, from behind `cursor`. */
export interface Followed {
  readonly topic: Uint8Array;
  readonly cursor: bigint;
}

/** What a stream reads from and how much at a time. */
export interface FollowOptions {
  readonly log: TopicLog;
  readonly notifier: Notifier;
  /** Ends the stream; its reason is thrown. */
  readonly signal: AbortSignal;
  readonly pageEntries: number;
  readonly pageBytes: number;
}

/**
 * The envelopes of all topics behind their cursors, then live, per topic in order, without gap or duplicate: waking is
 * subscribed before the first read, and every envelope comes from the store behind the topic's cursor.
 */
export async function* follow(
  topics: readonly Followed[],
  { log, notifier, signal, pageEntries, pageBytes }: FollowOptions,
): AsyncGenerator<{ topic: Uint8Array; envelope: Envelope }> {
  const cursors = new Map<string, { readonly topic: Uint8Array; cursor: bigint }>();
  for (const { topic, cursor } of topics) {
    const known = cursors.get(bytesKey(topic));
    if (known === undefined || cursor < known.cursor) cursors.set(bytesKey(topic), { topic, cursor });
  }

  /** Topics that may have grown, in the order to read them; a topic with more than a page goes to the end again. */
  const grown = new Set(cursors.keys());
  let wake = Promise.withResolvers<undefined>();
  const stop = (): void => wake.resolve(undefined);
  const unsubscribe = notifier.subscribe(
    [...cursors.values()].map(({ topic }) => topic),
    (topic) => {
      grown.add(bytesKey(topic));
      wake.resolve(undefined);
    },
  );
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      for (const key of grown) {
        grown.delete(key);
        const position = cursors.get(key);
        if (position === undefined) continue;
        signal.throwIfAborted();
        const { topic, cursor } = position;
        const page = await log.read({ topic, direction: "ascending", cursor, limit: pageEntries, maxBytes: pageBytes });
        for (const envelope of page.entries) {
          yield { topic, envelope };
          position.cursor = envelope.id;
        }
        if (page.more) grown.add(key);
        await setImmediate(); // A long history must not keep other requests waiting.
      }
      signal.throwIfAborted();
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", stop);
  }
}
