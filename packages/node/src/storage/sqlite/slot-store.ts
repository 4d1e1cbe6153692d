import { hash } from "node:crypto";
import type { SQLInputValue } from "node:sqlite";
import { NodeError } from "../../errors.ts";
import { slotTag } from "../slot-tag.ts";
import { servedUntilNs, type SlotQuery, type SlotStore } from "../storage.ts";
import { SlotCredentials } from "./slot-credentials.ts";
import { bytes, integer, type Database } from "./database.ts";
import type { GroupCommit } from "./group-commit.ts";

function u64(value: bigint): Uint8Array {
  const encoded = new Uint8Array(8);
  new DataView(encoded.buffer).setBigUint64(0, value);
  return encoded;
}

function parameters({ slotId, match, nowNs }: SlotQuery): SQLInputValue[] {
  return [slotId, u64(nowNs), ...(match === undefined ? [] : [u64(match.epoch), match.digest])];
}

/** The blobs of all slots in one table, ordered by upload. */
export function sqliteSlotStore(database: Database, writes: GroupCommit): SlotStore {
  const live = "FROM slot_blobs WHERE slot_id = ? AND expiry > ?";
  const matching = "AND epoch = ? AND digest = ?";
  const size = "SELECT id, content_hash, length(bytes) AS size";
  const measureAll = database.prepare(`${size} ${live} ORDER BY id`);
  const measureMatching = database.prepare(`${size} ${live} ${matching} ORDER BY id`);
  const read = database.prepare("SELECT bytes FROM slot_blobs WHERE id = ?");
  const credentials = new SlotCredentials(database);
  const totals = database.prepare("SELECT slots, bytes, credentials FROM slot_totals");
  const sweepSlot = database.prepare("DELETE FROM slot_blobs WHERE slot_id = ? AND expiry <= ?");
  const sweepAll = database.prepare("DELETE FROM slot_blobs WHERE expiry <= ?");
  const insert = database.prepare(
    `INSERT INTO slot_blobs (slot_id, epoch, digest, expiry, content_hash, bytes) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (slot_id, content_hash) DO NOTHING`,
  );
  const prolong = database.prepare("UPDATE slot_blobs SET expiry = ? WHERE slot_id = ? AND content_hash = ?");
  const evict = database.prepare(
    `DELETE FROM slot_blobs WHERE slot_id = ?1 AND id <= (
       SELECT id FROM slot_blobs WHERE slot_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`,
  );

  return {
    async put(slotId, blob, bounds, nowNs, writer = {}) {
      const contentHash = hash("sha256", blob.bytes, "buffer");
      const expiry = u64(servedUntilNs(blob, bounds, nowNs));
      return writes.run(() => {
        sweepSlot.run(slotId, u64(nowNs));
        if (!credentials.enter(slotId, writer, nowNs)) return "forbidden";
        const added = insert.run(slotId, u64(blob.epoch), blob.digest, expiry, contentHash, blob.bytes);
        if (added === 0n) {
          prolong.run(expiry, slotId, contentHash);
          return "present";
        }
        evict.run(slotId, bounds.blobsPerSlot);
        const after = totals.get() ?? {};
        if (
          integer(after, "slots") > bounds.slotsTotal ||
          integer(after, "bytes") > bounds.bytesTotal ||
          integer(after, "credentials") > bounds.slotsTotal
        ) {
          throw new NodeError("SLOTS_FULL", "the service holds as many invite slots as it may", { retryable: true });
        }
        return "stored";
      });
    },
    async measure(query) {
      const rows = (query.match === undefined ? measureAll : measureMatching).all(...parameters(query));
      const blobs = rows.map((row) => ({ id: integer(row, "id"), bytes: Number(integer(row, "size")) }));
      return { blobs, tag: slotTag(rows.map((row) => bytes(row, "content_hash"))) };
    },
    async blob(id) {
      const row = read.get(id);
      return row === undefined ? undefined : bytes(row, "bytes");
    },
    async admits(slotId, { credentialHash }) {
      return credentials.admits(slotId, credentialHash);
    },
    async sweep(nowNs, credentialsSinceNs) {
      const deleted = Number(sweepAll.run(u64(nowNs)));
      credentials.sweep(credentialsSinceNs);
      return deleted;
    },
  };
}
