import { bytesKey } from "@latchkey/mls";
import { KINDS } from "../kinds.ts";
import type { NewEnvelope } from "../storage.ts";
import type { Connections } from "./connections.ts";
import { breaksConnection, lacksLocks } from "./failures.ts";
import { lockKey } from "./lock-key.ts";
import { integer } from "./rows.ts";
import type { LogTable } from "./schema.ts";
import type { StampFloor } from "./stamp-floor.ts";

/** Topics of a batch: each takes a lock of the server, which has room for some thousands over all processes. */
const MAX_TOPICS = 256;

/** Envelopes and bytes of a batch, unless one call has more. */
const MAX_ENVELOPES = 1_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** Batches of one log under way at once: one is on its way while the server makes the other durable. */
const LANES = 2;

interface Waiting {
  readonly envelopes: readonly NewEnvelope[];
  readonly bytes: number;
  readonly resolve: (stored: readonly boolean[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Told of what was appended, before the caller is. */
export interface AppendObserver {
  /** Topics that have grown, by key, with their newest ids. */
  readonly grown: (topics: ReadonlyMap<string, bigint>) => void;
  /** Envelopes may be stored of which nobody was told. */
  readonly unknown: () => void;
}

/** Puts appends that arrive together into one transaction. Each call is stored as a whole, or not at all. */
export class AppendQueue {
  readonly #connections: Connections;
  readonly #table: LogTable;
  readonly #floor: StampFloor;
  readonly #observer: AppendObserver;
  #waiting: Waiting[] = [];
  #running = 0;

  constructor(connections: Connections, table: LogTable, floor: StampFloor, observer: AppendObserver) {
    this.#connections = connections;
    this.#table = table;
    this.#floor = floor;
    this.#observer = observer;
  }

  append(envelopes: readonly NewEnvelope[]): Promise<readonly boolean[]> {
    return new Promise((resolve, reject) => {
      const size = envelopes.reduce((sum, { payload }) => sum + payload.length, 0);
      this.#waiting.push({ envelopes, bytes: size, resolve, reject });
      // By then all requests that arrived with this one have got here.
      if (this.#waiting.length === 1) setImmediate(() => this.#begin());
    });
  }

  #begin(): void {
    while (this.#running < LANES && this.#waiting.length > 0) {
      this.#running += 1;
      void this.#write(this.#takeBatch()).finally(() => {
        this.#running -= 1;
        this.#begin();
      });
    }
  }

  /** Calls from the front, as many as fit; at least one. */
  #takeBatch(): Waiting[] {
    const topics = new Set<string>();
    let [envelopes, size, taken] = [0, 0, 0];
    for (const call of this.#waiting) {
      for (const { topic } of call.envelopes) topics.add(bytesKey(topic));
      envelopes += call.envelopes.length;
      size += call.bytes;
      const fits = topics.size <= MAX_TOPICS && envelopes <= MAX_ENVELOPES && size <= MAX_BYTES;
      if (!fits && taken > 0) break;
      taken += 1;
    }
    return this.#waiting.splice(0, taken);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#store(batch);
    } catch (error) {
      if (batch.length > 1) await this.#writeApart(batch, error);
      else batch[0]?.reject(error);
    }
  }

  /** Whose call it was shows when each is tried by itself; for too many locks half of them may do. */
  async #writeApart(batch: readonly Waiting[], error: unknown): Promise<void> {
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause !== undefined && breaksConnection(cause)) {
      // The server is away for all of them.
      for (const { reject } of batch) reject(error);
      return;
    }
    const size = cause !== undefined && lacksLocks(cause) ? Math.ceil(batch.length / 2) : 1;
    for (let at = 0; at < batch.length; at += size) await this.#write(batch.slice(at, at + size));
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    const envelopes = batch.flatMap((call) => call.envelopes);
    const locks = new Set(envelopes.map(({ topic }) => lockKey(this.#table, topic)));
    const [row] = await this.#connections
      .run({
        name: `${this.#table} append`,
        text: `SELECT newest_ns, ids, stored FROM append_${this.#table}_1($1, $2, $3, $4, $5, $6, $7)`,
        values: [
          [...locks].sort((a, b) => (a < b ? -1 : 1)),
          this.#floor.ns,
          envelopes.map(({ topic }) => Buffer.from(topic)),
          envelopes.map(({ digest }) => Buffer.from(digest)),
          envelopes.map(({ kind }) => KINDS.indexOf(kind)),
          envelopes.map(({ payload }) => payload.length),
          Buffer.concat(envelopes.map(({ payload }) => payload)),
        ],
      })
      .catch((error: unknown) => {
        this.#observer.unknown();
        throw error;
      });
    const ids = listOf(row?.["ids"]);
    if (ids.length > 0) this.#floor.raise(integer(row, "newest_ns"));
    const stored = storedOf(envelopes, ids.length, listOf(row?.["stored"]));
    const grown = new Map<string, bigint>();
    let at = 0;
    for (const [index, { topic }] of envelopes.entries()) {
      // Ids ascend, so the last one of a topic is its newest.
      if (stored[index] === true) grown.set(bytesKey(topic), BigInt(ids[at++] ?? 0));
    }
    if (grown.size > 0) this.#observer.grown(grown);
    let start = 0;
    for (const call of batch) call.resolve(stored.slice(start, (start += call.envelopes.length)));
  }
}

/** The elements of an array as PostgreSQL writes it; none for NULL. */
function listOf(value: unknown): string[] {
  return typeof value === "string" ? value.slice(1, -1).split(",") : [];
}

/** Which envelopes were stored: all, or those whose digests are given. Of envelopes with one digest the first was stored. */
function storedOf(envelopes: readonly NewEnvelope[], count: number, digests: readonly string[]): boolean[] {
  if (count === envelopes.length) return envelopes.map(() => true);
  // A digest looks like `"\\\\x0a0b"`.
  const known = new Set(digests.map((digest) => digest.slice(digest.indexOf("x") + 1, -1)));
  return envelopes.map(({ digest }) => known.delete(Buffer.from(digest).toString("hex")));
}
