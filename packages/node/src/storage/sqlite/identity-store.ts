import { setImmediate } from "node:timers/promises";
import { utf8 } from "@latchkey/mls";
import type { IdentityStore } from "../storage.ts";
import { text, type Database } from "./database.ts";
import { LogRows, TURN, type Clock } from "./topic-log.ts";

/** The identity logs and the identifier index. */
export function sqliteIdentityStore(database: Database, clock: Clock): IdentityStore {
  const rows = new LogRows(database, "identity_updates", clock);
  const link = database.prepare(
    "INSERT INTO identifiers (kind, identifier, inbox_id, joined_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const unlink = database.prepare("DELETE FROM identifiers WHERE kind = ? AND identifier = ? AND inbox_id = ?");
  const find = database.prepare(
    "SELECT inbox_id FROM identifiers WHERE kind = ? AND identifier = ? ORDER BY joined_at DESC LIMIT 1",
  );
  const known = database.prepare("SELECT 1 AS one FROM identity_updates WHERE digest = ?");

  return {
    async has(digest) {
      return known.get(digest) !== undefined;
    },
    asOfNs: () => Promise.resolve(clock()),
    async lastId(inboxId) {
      return rows.head(utf8(inboxId))?.id ?? 0n;
    },
    async append({ inboxId, payload, digest, expectedLastId, added, removed }) {
      const topic = utf8(inboxId);
      return database.transaction(() => {
        const lastId = rows.head(topic)?.id ?? 0n;
        if (lastId !== expectedLastId) return "conflict";
        if (!rows.insert({ topic, payload, digest })) return "duplicate";
        const id = rows.head(topic)?.id ?? 0n;
        for (const { kind, identifier } of removed) unlink.run(kind, identifier, inboxId);
        for (const { kind, identifier } of added) link.run(kind, identifier, inboxId, id);
        return "stored";
      });
    },
    async read(inboxId, afterId, reserve = () => undefined) {
      const everything = { limit: Number.MAX_SAFE_INTEGER - 1, maxBytes: Number.POSITIVE_INFINITY, reserve };
      return rows.page({ topic: utf8(inboxId), direction: "ascending", cursor: afterId, ...everything }).entries;
    },
    async findInboxes(identifiers) {
      const found: (string | undefined)[] = [];
      for (const { kind, identifier } of identifiers) {
        if (found.length % TURN === TURN - 1) await setImmediate();
        const row = find.get(kind, identifier);
        found.push(row === undefined ? undefined : text(row, "inbox_id"));
      }
      return found;
    },
  };
}
