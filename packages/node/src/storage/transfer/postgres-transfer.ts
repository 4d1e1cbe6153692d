import type { Client } from "pg";
import { Connections } from "../postgres/connections.ts";
import { translated } from "../postgres/failures.ts";
import { migrate } from "../postgres/migrate.ts";
import { bytes, integer, type Row } from "../postgres/rows.ts";
import {
  fingerprintColumn,
  keyOf,
  STEP,
  type Table,
  type TransferRow,
  type TransferStore,
  type Value,
} from "./tables.ts";

function parameter(value: Value | undefined): unknown {
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}

function toTransferRow(table: Table, row: Row): TransferRow {
  return Object.fromEntries(
    Object.keys(table.columns).map((name) => {
      const value = row[name];
      if (typeof value === "number") return [name, BigInt(value)];
      if (typeof value === "bigint" || typeof value === "string" || value instanceof Uint8Array) return [name, value];
      throw new TypeError(`column ${name} of ${table.name} is empty`);
    }),
  );
}

/** Sets a sequence to the larger of what it has given and a number. */
const RAISE = `SELECT setval(pg_get_serial_sequence($1, 'id'), greatest($2::bigint, 1), $2::bigint > 0)`;

/** Opens a PostgreSQL database, and brings its schema forward. Throws as `openPostgresStore` does. */
export async function openPostgresTransfer(url: string): Promise<TransferStore> {
  const connections = new Connections(url);
  try {
    await migrate(connections);
    return transferOn(connections, await connections.connect(true));
  } catch (error) {
    await connections.close();
    throw error;
  }
}

function transferOn(connections: Connections, client: Client): TransferStore {
  const query = async (text: string, values: readonly unknown[] = []): Promise<readonly Row[]> => {
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw translated(error);
    }
  };
  /** How many rows fit a step, before any large value is read. */
  const fitting = async ({ name, large }: Table, behind: string, order: string, key: unknown[]): Promise<number> => {
    if (large === undefined) return STEP.rows;
    const text = `SELECT octet_length(${large})::bigint AS size FROM ${name} ${behind} ORDER BY ${order} LIMIT ${STEP.rows}`;
    let [size, rows] = [0, 0];
    for (const row of await query(text, key)) {
      size += Number(integer(row, "size"));
      if (rows > 0 && size > STEP.bytes) break;
      rows += 1;
    }
    return rows;
  };
  const sequence = async (table: Table): Promise<bigint> => {
    const text = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1, 'id')), 0) AS id";
    const [given] = await query(text, [table.name]);
    const [held] = await query(`SELECT coalesce(max(id), 0) AS id FROM ${table.name}`);
    const [a, b] = [integer(given, "id"), integer(held, "id")];
    return a > b ? a : b;
  };
  return {
    async rowsAfter(table, key) {
      const names = keyOf(table).join(", ");
      const behind = key === undefined ? "" : `WHERE (${names}) > (${key.map((_, at) => `$${at + 1}`).join(", ")})`;
      const values = (key ?? []).map(parameter);
      const limit = await fitting(table, behind, names, values);
      const columns = Object.keys(table.columns).join(", ");
      const text = `SELECT ${columns} FROM ${table.name} ${behind} ORDER BY ${names} LIMIT ${limit}`;
      return (await query(text, values)).map((row) => toTransferRow(table, row));
    },
    async lastId({ name }) {
      const [row] = await query(`SELECT coalesce(max(id), 0) AS id FROM ${name}`);
      return integer(row, "id");
    },
    async fingerprint(table, id) {
      const name = fingerprintColumn(table);
      const [row] = await query(`SELECT ${name} FROM ${table.name} WHERE id = $1`, [id]);
      return row === undefined ? undefined : bytes(row, name);
    },
    async write(table, rows) {
      const names = Object.keys(table.columns);
      const arrays = Object.values(table.columns).map((type, at) => `$${at + 1}::${type}[]`);
      const rest = names.slice(table.keyLength).map((name) => `${name} = excluded.${name}`);
      await query(
        `INSERT INTO ${table.name} (${names.join(", ")}) SELECT * FROM unnest(${arrays.join(", ")})
          ON CONFLICT (${keyOf(table).join(", ")}) DO UPDATE SET ${rest.join(", ")}`,
        names.map((name) => rows.map((row) => parameter(row[name]))),
      );
    },
    sequence,
    async raiseSequence(table, id) {
      const given = await sequence(table);
      await query(RAISE, [table.name, id > given ? id : given]);
    },
    async finish() {
      await query(
        `UPDATE slot_totals SET
          slots = CASE WHEN shard = 0 THEN (SELECT count(DISTINCT slot_id) FROM slot_blobs) ELSE 0 END,
          bytes = CASE WHEN shard = 0 THEN (SELECT coalesce(sum(octet_length(bytes)), 0) FROM slot_blobs) ELSE 0 END,
          credentials = CASE WHEN shard = 0 THEN (SELECT count(*) FROM slot_credentials) ELSE 0 END`,
      );
    },
    async close() {
      await client.end();
      await connections.close();
    },
  };
}
