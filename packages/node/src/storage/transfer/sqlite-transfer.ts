import type { SQLInputValue } from "node:sqlite";
import { Database, bytes, integer, type Row } from "../sqlite/database.ts";
import { fingerprintColumn, keyOf, STEP, type Table, type TransferRow, type TransferStore } from "./tables.ts";

function sizeOf(row: Row): number {
  return Object.values(row).reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.length : 8), 0);
}

function toTransferRow(table: Table, row: Row): TransferRow {
  return Object.fromEntries(
    Object.keys(table.columns).map((name) => {
      const value = row[name];
      if (typeof value === "bigint" || typeof value === "string" || value instanceof Uint8Array) return [name, value];
      throw new TypeError(`column ${name} of ${table.name} is empty`);
    }),
  );
}

/** Opens the SQLite database of a directory, which no node may use meanwhile. Throws as `sqliteStore` does. */
export function openSqliteTransfer(dataDir: string): TransferStore {
  const database = Database.open({ dataDir, maxBytes: 0 });
  const largest = (table: Table): bigint => {
    const row = database.prepare(`SELECT coalesce(max(id), 0) AS id FROM ${table.name}`).get() ?? {};
    return integer(row, "id");
  };
  const sequence = (table: Table): bigint => {
    const row = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = ?").get(table.name);
    const [given, held] = [row === undefined ? 0n : integer(row, "seq"), largest(table)];
    return given > held ? given : held;
  };
  return {
    async rowsAfter(table, key) {
      const names = keyOf(table).join(", ");
      const behind = key === undefined ? "" : `WHERE (${names}) > (${key.map(() => "?").join(", ")})`;
      const columns = Object.keys(table.columns).join(", ");
      const text = `SELECT ${columns} FROM ${table.name} ${behind} ORDER BY ${names} LIMIT ${STEP.rows}`;
      const rows: TransferRow[] = [];
      let size = 0;
      for (const row of database.prepare(text).each(...((key ?? []) as SQLInputValue[]))) {
        size += sizeOf(row);
        if (rows.length > 0 && size > STEP.bytes) break;
        rows.push(toTransferRow(table, row));
      }
      return rows;
    },
    async lastId(table) {
      return largest(table);
    },
    async fingerprint(table, id) {
      const name = fingerprintColumn(table);
      const row = database.prepare(`SELECT ${name} FROM ${table.name} WHERE id = ?`).get(id);
      return row === undefined ? undefined : bytes(row, name);
    },
    async write(table, rows) {
      const names = Object.keys(table.columns);
      const values = names.map(() => "?").join(", ");
      const insert = database.prepare(`INSERT OR REPLACE INTO ${table.name} (${names.join(", ")}) VALUES (${values})`);
      database.transaction(() => {
        for (const row of rows) insert.run(...names.map((name) => row[name] ?? null));
      });
    },
    async sequence(table) {
      return sequence(table);
    },
    async raiseSequence(table, id) {
      const raised = id > sequence(table) ? id : sequence(table);
      database.transaction(() => {
        database.prepare("DELETE FROM sqlite_sequence WHERE name = ?").run(table.name);
        database.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)").run(table.name, raised);
      });
    },
    finish: () => Promise.resolve(), // Triggers keep the totals.
    async close() {
      database.close();
    },
  };
}
