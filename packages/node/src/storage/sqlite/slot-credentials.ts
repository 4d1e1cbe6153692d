import { timingSafeEqual } from "node:crypto";
import type { SlotWriter } from "../storage.ts";
import { bytes, type Database, type Statement } from "./database.ts";

/**
 * Which slots take uploads by their credential only. Credentials outlive the blobs of their slot for a while, or whoever
 * knows the id of a slot that has run empty could close it to everybody else.
 */
export class SlotCredentials {
  readonly #held: Statement;
  readonly #hasBlobs: Statement;
  readonly #put: Statement;
  readonly #sweep: Statement;

  constructor(database: Database) {
    this.#held = database.prepare("SELECT credential_hash FROM slot_credentials WHERE slot_id = ?");
    this.#hasBlobs = database.prepare("SELECT 1 AS one FROM slot_blobs WHERE slot_id = ? LIMIT 1");
    this.#put = database.prepare(
      `INSERT INTO slot_credentials (slot_id, credential_hash, written_ns) VALUES (?, ?, ?)
       ON CONFLICT (slot_id) DO UPDATE SET credential_hash = excluded.credential_hash, written_ns = excluded.written_ns`,
    );
    this.#sweep = database.prepare(
      `DELETE FROM slot_credentials WHERE written_ns < ?
         AND NOT EXISTS (SELECT 1 FROM slot_blobs WHERE slot_blobs.slot_id = slot_credentials.slot_id)`,
    );
  }

  /** Whether the slot is open, or closed by this very credential. */
  admits(slotId: Uint8Array, credentialHash: Uint8Array | undefined): boolean {
    const row = this.#held.get(slotId);
    if (row === undefined) return true;
    return credentialHash !== undefined && timingSafeEqual(bytes(row, "credential_hash"), credentialHash);
  }

  /** Admits an upload, within its transaction: notes that the slot is in use, who may write it next, or who closes it. */
  enter(slotId: Uint8Array, { credentialHash, nextHash }: SlotWriter, nowNs: bigint): boolean {
    if (!this.admits(slotId, credentialHash)) return false;
    if (credentialHash === undefined) return true;
    const isClosed = this.#held.get(slotId) !== undefined;
    // An open slot that holds something stays open: otherwise anybody could lock those out who began it.
    if (isClosed || this.#hasBlobs.get(slotId) === undefined) {
      this.#put.run(slotId, nextHash ?? credentialHash, nowNs);
    }
    return true;
  }

  /** Forgets the credentials of slots that hold nothing and were not written since. */
  sweep(sinceNs: bigint): void {
    this.#sweep.run(sinceNs);
  }
}
