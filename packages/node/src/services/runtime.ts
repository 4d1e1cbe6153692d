import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { createContextKey, type ContextValues } from "@connectrpc/connect";
import { NodeError } from "../errors.ts";
import type { NodeLimits } from "../limits.ts";
import type { Logger } from "../logging.ts";
import type { Metrics } from "../metrics.ts";
import { FREE_LEASE, type Lease } from "../quota.ts";
import type { Quotas } from "../quotas.ts";
import type { NewEnvelope, Store, TopicLog } from "../storage/storage.ts";
import type { Work } from "../work/work.ts";

/** What the services of one node share. */
export interface NodeRuntime {
  readonly store: Store;
  readonly limits: NodeLimits;
  readonly metrics: Metrics;
  readonly quotas: Quotas;
  readonly work: Work;
  readonly logger: Logger;
  /** The clock that envelopes are stamped by, in nanoseconds since 1970; it never goes back. */
  readonly nowNs: () => bigint;
  /** Nanoseconds by which that clock is ahead of the wall clock; left out where the two are one. */
  readonly clockOffsetNs?: () => bigint;
}

/** Key of the client's address in the context of an RPC. */
export const PEER = createContextKey("");

/** Key of the bytes that the answer to an RPC holds: taken before they are read, given back when they were taken. */
export const ANSWER = createContextKey<Lease>(FREE_LEASE);

/** Key of the form that the answer to an RPC has. JSON is made by hand of the event loop, so its answers are small. */
export const FORMAT = createContextKey<"binary" | "json">("binary");

/** Bytes of one answer at most, unless a single envelope has more. */
export function answerBytes({ pageBytes, jsonAnswerBytes }: NodeLimits, values: ContextValues): number {
  return values.get(FORMAT) === "json" ? jsonAnswerBytes : pageBytes;
}

/** Name of a log in metrics. */
export type LogName = "group_messages" | "welcomes" | "commit_log";

/** SHA-256(topic ‖ bytes), with the topic's length in front so that no two pairs have the same input. */
export function envelopeDigest(topic: Uint8Array, bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, topic.length);
  return new Uint8Array(createHash("sha256").update(length).update(topic).update(bytes).digest());
}

/** A log, and its name in metrics. */
export interface PublishTarget {
  readonly name: LogName;
  readonly log: TopicLog;
}

/** Appends a batch and counts it. */
export async function publish(
  { metrics }: NodeRuntime,
  { name, log }: PublishTarget,
  envelopes: readonly NewEnvelope[],
): Promise<void> {
  if (envelopes.length === 0) return;
  const stored = await log.append(envelopes);
  for (const [index, { payload }] of envelopes.entries()) {
    if (stored[index] !== true) {
      metrics.duplicates.inc({ log: name });
      continue;
    }
    metrics.envelopes.inc({ log: name });
    metrics.envelopeBytes.inc({ log: name }, payload.length);
  }
}

/** Look-ups after which others get their turn, and the bytes that count as one. */
const TURN = 128;
const LOOKUP_BYTES = 4_096;

/** Maps in order, one after the other, and lets other requests in between; `map` says how many bytes it has read. */
export async function mapInTurns<T, R>(
  items: readonly T[],
  map: (item: T, read: (bytes: number) => void, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let work = 0;
  const read = (bytes: number): void => void (work += bytes / LOOKUP_BYTES);
  for (const item of items) {
    if (++work >= TURN) {
      await setImmediate();
      work = 0;
    }
    results.push(await map(item, read, results.length));
  }
  return results;
}

/** Adds up bytes; the returned function throws `REQUEST_TOO_LARGE` when the answer needs too many. */
export function answerSize(limit: number, lease: Lease = FREE_LEASE): (bytes: number) => void {
  let size = 0;
  return (bytes) => {
    size += bytes;
    if (size > limit) {
      throw new NodeError("REQUEST_TOO_LARGE", `the answer would exceed ${limit} bytes; ask for less at once`);
    }
    lease.add(bytes);
  };
}
