import { hash } from "node:crypto";
import type { LogTable } from "./schema.ts";

/** The advisory lock of a topic: the first 64 bits of a hash, as PostgreSQL's signed integer. */
export function lockKey(table: LogTable, topic: Uint8Array): bigint {
  return hash("sha256", Buffer.concat([Buffer.from(`${table} `), topic]), "buffer").readBigInt64BE();
}
