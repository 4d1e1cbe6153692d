import { setImmediate, setTimeout } from "node:timers/promises";
import { NodeError } from "../errors.ts";
import type { Lease } from "../quota.ts";
import type { Envelope, Page, TopicLog } from "../storage/storage.ts";

/** Where to read on in each topic, by its key: a third of the memory that its bytes would take. */
export type Cursors = Map<string, bigint>;

/** What a stream reads from and how much at a time. */
export interface FollowOptions {
  readonly log: TopicLog;
  /** Ends the stream; its reason is thrown. */
  readonly signal: AbortSignal;
  /** Holds the bytes of a page until its envelopes were taken. */
  readonly lease: Lease;
  readonly pageEntries: number;
  readonly pageBytes: number;
}

/** Milliseconds until a stream tries again to read what there is no memory for. */
const NO_MEMORY_MS = 200;

/**
 * The envelopes of all topics behind their cursors, then live, per topic in order, without gap or duplicate: waking is
 * subscribed before the first read, and every envelope comes from the store behind the topic's cursor.
 */
export async function* follow(
  cursors: Cursors,
  options: FollowOptions,
): AsyncGenerator<{ topic: Uint8Array; envelope: Envelope }> {
  const { log, signal, lease } = options;
  /** Topics that may have grown, in the order to read them; a topic with more than a page goes to the end again. */
  const grown = new Set(cursors.keys());
  let wake = Promise.withResolvers<undefined>();
  const stop = (): void => wake.resolve(undefined);
  const unsubscribe = log.subscribe([...cursors.keys()], (key) => {
    grown.add(key);
    wake.resolve(undefined);
  });
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      for (const key of grown) {
        grown.delete(key);
        signal.throwIfAborted();
        const topic = Buffer.from(key, "latin1");
        const page = await readPage(topic, cursors.get(key) ?? 0n, options);
        for (const envelope of page?.entries ?? []) {
          yield { topic, envelope };
          lease.give(envelope.payload.length);
          cursors.set(key, envelope.id);
        }
        if (page === undefined || page.more) grown.add(key);
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

/** The next page of a topic; undefined, after a while, when there is no memory for it: a stream waits, it does not end. */
async function readPage(topic: Uint8Array, cursor: bigint, options: FollowOptions): Promise<Page | undefined> {
  const { log, lease, pageEntries: limit, pageBytes: maxBytes } = options;
  let size = 0;
  const reserve = (bytes: number): void => {
    lease.add(bytes);
    size += bytes;
  };
  try {
    return await log.read({ topic, direction: "ascending", cursor, limit, maxBytes, reserve, isFollowing: true });
  } catch (error) {
    lease.give(size);
    if (!(error instanceof NodeError) || error.retryAfterMs === undefined) throw error;
    await setTimeout(NO_MEMORY_MS);
    return undefined;
  }
}
