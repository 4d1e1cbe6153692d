import { setImmediate } from "node:timers/promises";
import { bytesKey } from "@latchkey/mls";
import { bytes, integer, type Database, type Row, type Statement } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";
import { KINDS } from "../kinds.ts";
import { Notifier } from "../notifier.ts";
import type { Envelope, EnvelopeHead, NewEnvelope, Page, PageRequest, TopicLog } from "../storage.ts";

/** Nanoseconds since 1970, for the stamps of envelopes. */
export type Clock = () => bigint;

export const LOG_TABLES = ["group_messages", "welcomes", "identity_updates", "commit_log"] as const;

export type LogTable = (typeof LOG_TABLES)[number];

const MAX_ID = 2n ** 63n - 1n;

/** Payloads up to here come with their row; of larger ones the size does, which SQLite knows without reading them. */
const SMALL_BYTES = 16 * 1024;

/** Look-ups after which other requests get their turn. */
export const TURN = 128;

function toEnvelope(row: Row, payload = bytes(row, "payload")): Envelope {
  return { id: integer(row, "id"), createdNs: integer(row, "created_ns"), payload };
}

/** The newest envelope of a topic, from the index alone. */
export function headQuery(table: LogTable): string {
  return `SELECT id, created_ns, kind FROM ${table} WHERE topic = ? ORDER BY id DESC LIMIT 1`;
}

/** The statements of one log table; its methods are synchronous, for use inside a transaction. */
export class LogRows {
  readonly #clock: Clock;
  readonly #insert: Statement;
  readonly #newest: Statement;
  readonly #head: Statement;
  readonly #last: Statement;
  readonly #ascending: Statement;
  readonly #descending: Statement;
  readonly #payload: Statement;

  constructor(database: Database, table: LogTable, clock: Clock) {
    this.#clock = clock;
    const columns = "id, created_ns, payload";
    this.#insert = database.prepare(
      `INSERT INTO ${table} (topic, created_ns, digest, payload, kind) VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING`,
    );
    this.#newest = database.prepare(`SELECT ${columns} FROM ${table} WHERE topic = ? ORDER BY id DESC LIMIT 1`);
    this.#head = database.prepare(headQuery(table));
    this.#last = database.prepare(`SELECT created_ns FROM ${table} ORDER BY id DESC LIMIT 1`);
    const small = `CASE WHEN length(payload) <= ${SMALL_BYTES} THEN payload END AS payload`;
    const priced = `SELECT id, created_ns, length(payload) AS size, ${small} FROM ${table} WHERE topic = ?`;
    this.#ascending = database.prepare(`${priced} AND id > ? ORDER BY id LIMIT ?`);
    this.#descending = database.prepare(`${priced} AND id < ? ORDER BY id DESC LIMIT ?`);
    this.#payload = database.prepare(`SELECT payload FROM ${table} WHERE id = ?`);
  }

  newest(topic: Uint8Array): Envelope | undefined {
    const row = this.#newest.get(topic);
    return row === undefined ? undefined : toEnvelope(row);
  }

  /** A topic's newest envelope without its payload, from the index alone. */
  head(topic: Uint8Array): EnvelopeHead | undefined {
    const row = this.#head.get(topic);
    if (row === undefined) return undefined;
    return { id: integer(row, "id"), createdNs: integer(row, "created_ns"), kind: KINDS[Number(integer(row, "kind"))] };
  }

  /** Of the last row over all topics; 0 when there is none. */
  newestStampNs(): bigint {
    const row = this.#last.get();
    return row === undefined ? 0n : integer(row, "created_ns");
  }

  /** False when the digest is known. */
  insert({ topic, digest, payload, kind }: NewEnvelope): boolean {
    const now = this.#clock();
    const last = this.head(topic)?.createdNs ?? 0n;
    return this.#insert.run(topic, now > last ? now : last + 1n, digest, payload, KINDS.indexOf(kind)) === 1n;
  }

  page({ topic, direction, cursor, limit, maxBytes, reserve }: PageRequest): Page {
    // Requests carry unsigned 64-bit cursors; no id is beyond SQLite's largest integer.
    const bounded = cursor > MAX_ID ? MAX_ID : cursor;
    const rows =
      direction === "ascending"
        ? this.#ascending.each(topic, bounded, limit + 1)
        : this.#descending.each(topic, bounded === 0n ? MAX_ID : bounded, limit + 1);
    const entries: Envelope[] = [];
    let size = 0;
    for (const row of rows) {
      const payloadBytes = Number(integer(row, "size"));
      size += payloadBytes;
      if (entries.length > 0 && (entries.length === limit || size > maxBytes)) return { entries, more: true };
      reserve?.(payloadBytes);
      entries.push(toEnvelope(row, row["payload"] === null ? this.#read(row) : bytes(row, "payload")));
    }
    return { entries, more: false };
  }

  #read(row: Row): Uint8Array {
    return bytes(this.#payload.get(integer(row, "id")) ?? {}, "payload");
  }
}

/** Bytes of a page up to which it is kept for the next reader. */
const KEPT_BYTES = 64 * 1024;

/** The page that was read last: the streams of one group all ask for the same when a message has come. */
class LastPage {
  #key = "";
  #page: Page = { entries: [], more: false };

  read(request: PageRequest, read: () => Page): Page {
    const { topic, direction, cursor, limit, maxBytes, reserve } = request;
    const key = `${bytesKey(topic)} ${direction} ${cursor} ${limit} ${maxBytes}`;
    if (key === this.#key) {
      for (const { payload } of this.#page.entries) reserve?.(payload.length);
      return this.#page;
    }
    const page = read();
    const size = page.entries.reduce((sum, { payload }) => sum + payload.length, 0);
    if (size <= KEPT_BYTES) [this.#key, this.#page] = [key, page];
    return page;
  }

  /** To be called before anything is appended. */
  forget(): void {
    this.#key = "";
  }
}

/** A TopicLog on one table; what is appended at the same time shares a transaction. */
export function sqliteTopicLog(
  database: Database,
  writes: GroupCommit,
  table: Exclude<LogTable, "identity_updates">,
  clock: Clock,
): TopicLog {
  const rows = new LogRows(database, table, clock);
  const last = new LastPage();
  const notifier = new Notifier();
  return {
    async append(envelopes) {
      const stored = await writes.run(() => {
        last.forget();
        return envelopes.map((envelope) => rows.insert(envelope));
      });
      for (const [index, { topic }] of envelopes.entries()) if (stored[index] === true) notifier.notify(topic);
      return stored;
    },
    async read(page) {
      return last.read(page, () => rows.page(page));
    },
    async newest(topic) {
      return rows.newest(topic);
    },
    async heads(topics) {
      const heads: (EnvelopeHead | undefined)[] = [];
      for (const topic of topics) {
        if (heads.length % TURN === TURN - 1) await setImmediate();
        heads.push(rows.head(topic));
      }
      return heads;
    },
    subscribe: (topics, wake) => notifier.subscribe(topics, wake),
  };
}
