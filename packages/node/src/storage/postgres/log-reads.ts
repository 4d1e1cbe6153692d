import { NodeError } from "../../errors.ts";
import { KINDS } from "../kinds.ts";
import type { Envelope, EnvelopeHead, Page, PageRequest } from "../storage.ts";
import type { Connections } from "./connections.ts";
import { bytes, integer, small, type Row } from "./rows.ts";
import type { LogTable } from "./schema.ts";

const MAX_ID = 2n ** 63n - 1n;

/** Rows of one query, when more are asked for. */
const MAX_ROWS = 1_000;

/** Payloads up to here come with their row; larger ones are priced first, and then read in parts. */
const SMALL_BYTES = 8 * 1024;

/** Bytes of a part: it comes as hex digits, which keep the event loop for about a millisecond. */
const PART_BYTES = 512 * 1024;

/** Reads a large bytea in parts; undefined when its row is gone. */
export async function readInParts(
  connections: Connections,
  source: { readonly table: string; readonly column: string },
  id: bigint,
  size: number,
): Promise<Uint8Array | undefined> {
  const { table, column } = source;
  const all = new Uint8Array(size);
  for (let at = 0; at < size; at += PART_BYTES) {
    const [row] = await connections.run({
      name: `${table} part`,
      text: `SELECT substr(${column}, $2, ${PART_BYTES}) AS part FROM ${table} WHERE id = $1`,
      values: [id, at + 1],
    });
    if (row === undefined) return undefined;
    all.set(bytes(row, "part"), at);
  }
  return all;
}

/** The reading statements of one log. */
export class LogReads {
  readonly #connections: Connections;
  readonly #table: LogTable;

  constructor(connections: Connections, table: LogTable) {
    this.#connections = connections;
    this.#table = table;
  }

  async heads(topics: readonly Uint8Array[]): Promise<readonly (EnvelopeHead | undefined)[]> {
    const heads = new Array<EnvelopeHead | undefined>(topics.length).fill(undefined);
    if (topics.length === 0) return heads;
    const rows = await this.#connections.run({
      name: `${this.#table} heads`,
      text: `
        SELECT n, id, created_ns, kind FROM unnest($1::bytea[]) WITH ORDINALITY AS t (topic, n) CROSS JOIN LATERAL (
          SELECT id, created_ns, kind FROM ${this.#table} AS log WHERE log.topic = t.topic ORDER BY id DESC LIMIT 1
        ) AS head`,
      values: [topics.map((topic) => Buffer.from(topic))],
    });
    for (const row of rows) {
      const head = { id: integer(row, "id"), createdNs: integer(row, "created_ns"), kind: KINDS[small(row, "kind")] };
      heads[Number(integer(row, "n")) - 1] = head;
    }
    return heads;
  }

  /** Pages are read in one statement, unless they hold large payloads or more than a thousand rows. */
  async page(request: PageRequest): Promise<Page> {
    const { direction, limit, maxBytes, reserve } = request;
    // Requests carry unsigned 64-bit cursors; no id is beyond the largest integer.
    let cursor = request.cursor > MAX_ID ? MAX_ID : request.cursor;
    if (direction === "descending" && cursor === 0n) cursor = MAX_ID;
    const entries: Envelope[] = [];
    let size = 0;
    for (;;) {
      const wanted = Math.min(limit - entries.length + 1, MAX_ROWS);
      const rows = await this.#rows(request, cursor, wanted);
      for (const row of rows) {
        const payloadBytes = small(row, "size");
        size += payloadBytes;
        if (entries.length > 0 && (entries.length === limit || size > maxBytes)) return { entries, more: true };
        reserve?.(payloadBytes);
        cursor = integer(row, "id");
        entries.push({ id: cursor, createdNs: integer(row, "created_ns"), payload: await this.#payload(row) });
      }
      if (rows.length < wanted) return { entries, more: false };
    }
  }

  async #rows({ topic, direction }: PageRequest, cursor: bigint, wanted: number): Promise<readonly Row[]> {
    const [sign, order] = direction === "ascending" ? [">", "ASC"] : ["<", "DESC"];
    return this.#connections.run({
      name: `${this.#table} ${direction}`,
      text: `
        SELECT id, created_ns, octet_length(payload) AS size,
          CASE WHEN octet_length(payload) <= ${SMALL_BYTES} THEN payload END AS payload
        FROM ${this.#table} WHERE topic = $1 AND id ${sign} $2 ORDER BY id ${order} LIMIT $3`,
      values: [topic, cursor, wanted],
    });
  }

  async #payload(row: Row): Promise<Uint8Array> {
    if (row["payload"] !== null) return bytes(row, "payload");
    const source = { table: this.#table, column: "payload" };
    const payload = await readInParts(this.#connections, source, integer(row, "id"), small(row, "size"));
    if (payload !== undefined) return payload;
    throw new NodeError("STORE_FAILED", "a message was deleted while it was read; read again", { retryable: true });
  }
}
