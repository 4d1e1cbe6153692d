import { createHash } from "node:crypto";
import type { SQLInputValue } from "node:sqlite";
import { NodeError } from "../../errors.ts";
import type { SlotQuery, SlotStore } from "../storage.ts";
import { bytes, integer, type Database } from "./database.ts";

const NEVER = 2n ** 64n - 1n;

function u64(value: bigint): Uint8Array {
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, value);
  return encoded;
}

function parameters({ slotId, match, nowNs }: SlotQuery): SQLInputValue[] {
  return [slotId, u64(nowNs), ...(match === undefined ? [] : [u64(match.epoch), match.digest])];
}

/** The blobs of all slots in one table, ordered by upload. */
export function sqliteSlotStore(database: Database): SlotStore {
  const live = "FROM slot_blobs WHERE slot_id = ? AND expiry > ?";
  const matching = "AND epoch = ? AND digest = ?";
  const size = "SELECT count(*) AS blobs, coalesce(sum(length(bytes)), 0) AS bytes";
  const measureAll = database.prepare(`${size} ${live}`);
  const measureMatching = database.prepare(`${size} ${live} ${matching}`);
  const listAll = database.prepare(`SELECT bytes ${live} ORDER BY id`);
  const listMatching = database.prepare(`SELECT bytes ${live} ${matching} ORDER BY id`);
  const totals = database.prepare("SELECT slots, bytes FROM slot_totals");
  const sweepSlot = database.prepare("DELETE FROM slot_blobs WHERE slot_id = ? AND expiry <= ?");
  const sweepAll = database.prepare("DELETE FROM slot_blobs WHERE expiry <= ?");
  const insert = database.prepare(
    `INSERT INTO slot_blobs (slot_id, epoch, digest, expiry, content_hash, bytes) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (slot_id, content_hash) DO NOTHING`,
  );
  const evict = database.prepare(
    `DELETE FROM slot_blobs WHERE slot_id = ?1 AND id <= (
       SELECT id FROM slot_blobs WHERE slot_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
  );

  return {
    async put(slotId, blob, bounds, nowNs) {
      const contentHash = createHash("sha256").update(blob.bytes).digest();
      const expiry = u64(blob.expiresAtNs === 0n ? NEVER : blob.expiresAtNs);
      return database.transaction(() => {
        sweepSlot.run(slotId, u64(nowNs));
        const added = insert.run(slotId, u64(blob.epoch), blob.digest, expiry, contentHash, blob.bytes);
        if (added === 0n) return "present";
        evict.run(slotId, bounds.blobsPerSlot);
        const after = totals.get() ?? {};
        if (integer(after, "slots") > bounds.slotsTotal || integer(after, "bytes") > bounds.bytesTotal) {
          throw new NodeError("SLOTS_FULL", "the service holds as many invite slots as it may", { retryable: true });
        }
        return "stored";
      });
    },
    async measure(query) {
      const row = (query.match === undefined ? measureAll : measureMatching).get(...parameters(query)) ?? {};
      return { blobs: Number(integer(row, "blobs")), bytes: Number(integer(row, "bytes")) };
    },
    async list(query) {
      const rows = (query.match === undefined ? listAll : listMatching).all(...parameters(query));
      return rows.map((row) => bytes(row, "bytes"));
    },
    async sweep(nowNs) {
      return Number(sweepAll.run(u64(nowNs)));
    },
  };
}
