import type { Client } from "pg";
import { NodeError } from "../../errors.ts";
import type { Connections } from "./connections.ts";
import { translated } from "./failures.ts";
import { MIGRATION_LOCK, MIGRATIONS } from "./schema.ts";

/**
 * Brings the schema forward, one process at a time and in one transaction. Processes of the version before go on meanwhile.
 * @throws NodeError `STORE_VERSION` when a newer build has changed the schema, `STORE_FAILED`
 */
export async function migrate(connections: Connections, migrations: readonly string[] = MIGRATIONS): Promise<void> {
  const client = await connections.connect(true);
  try {
    await client.query("BEGIN");
    await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await client.query("CREATE TABLE IF NOT EXISTS latchkey_schema (version integer NOT NULL)");
    await bringForward(client, migrations);
    await client.query("COMMIT");
  } catch (error) {
    throw translated(error);
  } finally {
    await client.end(); // Undoes what was not committed.
  }
}

async function bringForward(client: Client, migrations: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ version: number }>("SELECT version FROM latchkey_schema");
  const version = rows[0]?.version ?? 0;
  if (version > migrations.length) {
    throw new NodeError(
      "STORE_VERSION",
      `the database has schema version ${version}, this build knows ${migrations.length}; use the newer build`,
      { data: { found: version, supported: migrations.length } },
    );
  }
  if (version === migrations.length) return;
  for (const script of migrations.slice(version)) await client.query(script);
  if (version === 0) await client.query(`INSERT INTO latchkey_schema VALUES (${migrations.length})`);
  else await client.query(`UPDATE latchkey_schema SET version = ${migrations.length}`);
}
