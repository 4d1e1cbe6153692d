import type { CustomTypesConfig } from "pg";
import { NodeError } from "../../errors.ts";

/** A row as `TYPES` reads it. */
export type Row = Readonly<Record<string, bigint | Uint8Array | string | number | boolean | null>>;

const OID = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23 };

/** How columns are read. It belongs to each pool, because pg's own parsers are shared by all users of a process. */
export const TYPES: CustomTypesConfig = {
  getTypeParser(oid: number) {
    switch (oid) {
      case OID.int8:
        return BigInt;
      case OID.int2:
      case OID.int4:
        return Number;
      case OID.bool:
        return (value: string) => value === "t";
      case OID.bytea:
        return (value: string) => new Uint8Array(Buffer.from(value.slice(2), "hex"));
      default:
        return (value: string) => value;
    }
  },
};

function wrong(column: string, expected: string): NodeError {
  return new NodeError("STORE_FAILED", `column ${column} holds no ${expected}; the schema was changed by hand`);
}

/** A bigint column. */
export function integer(row: Row | undefined, column: string): bigint {
  const value = row?.[column];
  if (typeof value !== "bigint") throw wrong(column, "bigint");
  return value;
}

/** A smallint or integer column. */
export function small(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value !== "number") throw wrong(column, "integer");
  return value;
}

/** A bytea column. */
export function bytes(row: Row | undefined, column: string): Uint8Array {
  const value = row?.[column];
  if (!(value instanceof Uint8Array)) throw wrong(column, "bytea");
  return value;
}

/** A text column. */
export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== "string") throw wrong(column, "text");
  return value;
}
