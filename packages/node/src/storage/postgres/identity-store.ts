import { utf8 } from "@latchkey/mls";
import { NodeError } from "../../errors.ts";
import type { IdentityStore, IndexedIdentifier } from "../storage.ts";
import type { Connections } from "./connections.ts";
import { LogReads } from "./log-reads.ts";
import { lockKey } from "./lock-key.ts";
import { integer, text } from "./rows.ts";
import type { StampFloor } from "./stamp-floor.ts";

const OUTCOMES = ["stored", "duplicate", "conflict"] as const;

function columns(identifiers: readonly IndexedIdentifier[]): [string[], string[]] {
  return [identifiers.map(({ kind }) => kind), identifiers.map(({ identifier }) => identifier)];
}

/** The identity logs and the identifier index. */
export function postgresIdentityStore(connections: Connections, floor: StampFloor): IdentityStore {
  const reads = new LogReads(connections, "identity_updates");
  return {
    async has(digest) {
      const known = "SELECT 1 AS one FROM identity_updates WHERE digest = $1";
      return (await connections.run({ name: "identity has", text: known, values: [digest] })).length > 0;
    },
    async asOfNs() {
      const [row] = await connections.run({
        name: "identity as of",
        text: "SELECT identity_as_of_1() AS as_of",
        values: [],
      });
      return integer(row, "as_of");
    },
    async lastId(inboxId) {
      return (await reads.heads([utf8(inboxId)]))[0]?.id ?? 0n;
    },
    async append({ inboxId, payload, digest, expectedLastId, added, removed }) {
      const lock = lockKey("identity_updates", utf8(inboxId));
      const [row] = await connections.runIdentity({
        name: "identity append",
        text: "SELECT outcome, stamp_ns FROM append_identity_update_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        values: [lock, floor.ns, inboxId, expectedLastId, digest, payload, ...columns(added), ...columns(removed)],
      });
      floor.raise(integer(row, "stamp_ns"));
      const outcome = OUTCOMES.find((known) => known === text(row, "outcome"));
      if (outcome === undefined) throw new NodeError("STORE_FAILED", "the schema has another version");
      return outcome;
    },
    async read(inboxId, afterId, reserve = () => undefined) {
      const everything = { limit: Number.MAX_SAFE_INTEGER - 1, maxBytes: Number.POSITIVE_INFINITY, reserve };
      const page = { topic: utf8(inboxId), direction: "ascending", cursor: afterId, ...everything } as const;
      return (await reads.page(page)).entries;
    },
    async findInboxes(identifiers) {
      const found = new Array<string | undefined>(identifiers.length).fill(undefined);
      if (identifiers.length === 0) return found;
      const rows = await connections.run({
        name: "identity find",
        text: `
          SELECT n, inbox_id FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (kind, identifier, n) CROSS JOIN LATERAL (
            SELECT inbox_id FROM identifiers AS i WHERE i.kind = t.kind AND i.identifier = t.identifier
            ORDER BY joined_at DESC LIMIT 1
          ) AS newest`,
        values: columns(identifiers),
      });
      for (const row of rows) found[Number(integer(row, "n")) - 1] = text(row, "inbox_id");
      return found;
    },
  };
}
