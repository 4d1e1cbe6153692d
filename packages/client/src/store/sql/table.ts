import type { AnyTable, Row, Value } from "../store.ts";
import type { SqlDriver, SqlStatement } from "./driver.ts";

/** A name of the records as SQL has it. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** One table by its columns as SQLite knows them; statements are prepared once. */
export class SqlTable implements AnyTable {
  readonly #driver: SqlDriver;
  readonly #name: string;
  readonly #columns: readonly { name: string; column: string; field: string }[];
  readonly #key: readonly string[];
  readonly #statements = new Map<string, SqlStatement>();
  readonly #guard: () => void;

  /** `guard` throws outside of a transaction. */
  constructor(driver: SqlDriver, name: string, guard: () => void) {
    this.#driver = driver;
    this.#name = name;
    this.#guard = guard;
    const info = driver.prepare(`PRAGMA table_info(${name})`).all();
    this.#columns = info.map((column) => ({
      name: `"${String(column["name"])}"`,
      column: String(column["name"]),
      field: camelCase(String(column["name"])),
    }));
    this.#key = info
      .filter((column) => Number(column["pk"]) > 0)
      .sort((a, b) => Number(a["pk"]) - Number(b["pk"]))
      .map((column) => `"${String(column["name"])}"`);
  }

  get(...key: Value[]): Row | undefined {
    return this.#select(this.#where(key), key)[0];
  }

  list(...prefix: Value[]): Row[] {
    return this.#select(this.#where(prefix), prefix);
  }

  listAfter(...key: Value[]): Row[] {
    return this.#select(this.#where(key).replace(/=( \?)$/, ">$1"), key);
  }

  count(...prefix: Value[]): number {
    const sql = `SELECT count(*) AS n FROM ${this.#name}${this.#where(prefix)}`;
    return Number(this.#prepare(sql).all(...prefix.map((value) => value ?? null))[0]?.["n"]);
  }

  put(row: Row): void {
    this.#guard();
    const names = this.#columns.map((column) => column.name).join(", ");
    const marks = this.#columns.map(() => "?").join(", ");
    this.#run(
      `INSERT OR REPLACE INTO ${this.#name} (${names}) VALUES (${marks})`,
      this.#columns.map((column) => row[column.field]),
    );
  }

  delete(...prefix: Value[]): void {
    this.#guard();
    this.#run(`DELETE FROM ${this.#name}${this.#where(prefix)}`, prefix);
  }

  #where(prefix: readonly Value[]): string {
    if (prefix.length === 0) return "";
    return ` WHERE ${this.#key.slice(0, prefix.length).join(" = ? AND ")} = ?`;
  }

  #select(where: string, values: readonly Value[]): Row[] {
    const sql = `SELECT * FROM ${this.#name}${where} ORDER BY ${this.#key.join(", ")}`;
    return this.#prepare(sql)
      .all(...values.map((value) => value ?? null))
      .map((found) => {
        const row: Record<string, Value> = {};
        for (const { column, field } of this.#columns) row[field] = found[column] ?? undefined;
        return row;
      });
  }

  #run(sql: string, values: readonly Value[]): void {
    this.#prepare(sql).run(...values.map((value) => value ?? null));
  }

  #prepare(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#driver.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
