import { hash, timingSafeEqual } from "node:crypto";
import { NodeError } from "../../errors.ts";
import { slotTag } from "../slot-tag.ts";
import { servedUntilNs, type SlotPutOutcome, type SlotStore } from "../storage.ts";
import type { Connections } from "./connections.ts";
import { readInParts } from "./log-reads.ts";
import { bytes, integer, small, text } from "./rows.ts";

const OUTCOMES: readonly SlotPutOutcome[] = ["stored", "present", "forbidden"];

function u64(value: bigint): Buffer {
  const encoded = Buffer.alloc(8);
  encoded.writeBigUInt64BE(value);
  return encoded;
}

/** The blobs of all slots in one table, ordered by upload; each slot has a lock of its own. */
export function postgresSlotStore(connections: Connections): SlotStore {
  return {
    async put(slotId, blob, bounds, nowNs, writer = {}) {
      const { credentialHash = null, nextHash = null } = writer;
      const [row] = await connections.run({
        name: "slot put",
        text: "SELECT put_slot_blob_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS outcome",
        values: [
          slotId,
          u64(nowNs),
          nowNs,
          u64(blob.epoch),
          blob.digest,
          u64(servedUntilNs(blob, bounds, nowNs)),
          hash("sha256", blob.bytes, "buffer"),
          blob.bytes,
          credentialHash,
          nextHash,
          bounds.blobsPerSlot,
          bounds.slotsTotal,
          bounds.bytesTotal,
        ],
      });
      const outcome = OUTCOMES.find((known) => known === text(row, "outcome"));
      if (outcome === undefined) throw new NodeError("STORE_FAILED", "the schema has another version");
      return outcome;
    },
    async measure({ slotId, match, nowNs }) {
      const size =
        "SELECT id, content_hash, octet_length(bytes) AS size FROM slot_blobs WHERE slot_id = $1 AND expiry > $2";
      const matching = match === undefined ? "" : " AND epoch = $3 AND digest = $4";
      const rows = await connections.run({
        name: match === undefined ? "slot measure" : "slot match",
        text: `${size}${matching} ORDER BY id`,
        values: [slotId, u64(nowNs), ...(match === undefined ? [] : [u64(match.epoch), match.digest])],
      });
      return {
        blobs: rows.map((row) => ({ id: integer(row, "id"), bytes: small(row, "size") })),
        tag: slotTag(rows.map((row) => bytes(row, "content_hash"))),
      };
    },
    async blob(id) {
      const [row] = await connections.run({
        name: "slot blob size",
        text: "SELECT octet_length(bytes) AS size FROM slot_blobs WHERE id = $1",
        values: [id],
      });
      if (row === undefined) return undefined;
      return readInParts(connections, { table: "slot_blobs", column: "bytes" }, id, small(row, "size"));
    },
    async admits(slotId, { credentialHash }) {
      const [row] = await connections.run({
        name: "slot credential",
        text: "SELECT credential_hash FROM slot_credentials WHERE slot_id = $1",
        values: [slotId],
      });
      if (row === undefined) return true;
      return credentialHash !== undefined && timingSafeEqual(bytes(row, "credential_hash"), credentialHash);
    },
    async sweep(nowNs, credentialsSinceNs) {
      let deleted = 0;
      for (;;) {
        const [row] = await connections.run({
          name: "slot sweep",
          text: "SELECT looked_at, deleted FROM sweep_slots_1($1, $2)",
          values: [u64(nowNs), credentialsSinceNs],
        });
        deleted += Number(integer(row, "deleted"));
        if (integer(row, "looked_at") === 0n) return deleted;
      }
    },
  };
}
