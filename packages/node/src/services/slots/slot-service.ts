import { invalidRequest, NodeError, requireAtMost } from "../../errors.ts";
import { slotBounds } from "../../limits.ts";
import { shortId } from "../../logging.ts";
import { RateLimiter } from "../../rate-limiter.ts";
import { servedUntilNs, type SlotPage, type SlotQuery, type SlotWriter } from "../../storage/storage.ts";
import type { NodeRuntime } from "../runtime.ts";
import { DIGEST_BYTES, readBlob } from "./blob.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** An upload that a slot has taken. */
export interface SlotUpload {
  /** `present`: the slot had these very bytes. */
  readonly outcome: "stored" | "present";
  /** Size of the blob, in bytes. */
  readonly bytes: number;
  /** End of the time that the blob is served for, in nanoseconds since 1970. */
  readonly servedUntilNs: bigint;
}

/** The state of a slot, as a look-up finds it. */
export type SlotLookUp =
  | { readonly outcome: "missing" }
  /** `unchanged`: the caller has these very blobs. */
  | { readonly outcome: "found" | "unchanged"; readonly page: SlotPage };

/**
 * The invite slots of XIP-82 with all rules of `docs/invite-slots.md` that do not depend on the carrier. HTTP adds statuses
 * and the rates of addresses. Ids have 4 to 64 bytes; all methods throw NodeError `REQUEST_INVALID` for others, and as the
 * store does.
 */
export interface SlotService {
  /**
   * Takes a blob. `receive` gives its bytes; it is called once the right to write is shown, so that strangers cause no work.
   * @throws NodeError `SLOT_FORBIDDEN`, `REQUEST_INVALID`, `REQUEST_TOO_LARGE`, `BLOB_EXPIRED`, `RATE_LIMITED`, `SLOTS_FULL`
   */
  upload(slotId: Uint8Array, writer: SlotWriter, receive: () => Promise<Uint8Array>): Promise<SlotUpload>;
  /** Looks for blobs, of one state or all; `has` states whether the caller has the blobs of a tag already. */
  find(slotId: Uint8Array, match?: SlotQuery["match"], has?: (tag: string) => boolean): Promise<SlotLookUp>;
  /** The bytes of a blob; undefined when an upload has pushed it out meanwhile. */
  blob(id: bigint): Promise<Uint8Array | undefined>;
  /** Number of others that came to join lately; `joining` counts the caller for those who come later. */
  waiting(slotId: Uint8Array, joining: boolean): number;
}

function keyOf(slotId: Uint8Array): string {
  return Buffer.from(slotId).toString("hex");
}

function requireMatch({ epoch, digest }: NonNullable<SlotQuery["match"]>): void {
  if (epoch < 0n || epoch >= 1n << 64n) throw invalidRequest("epoch must be an unsigned 64-bit number in decimal");
  if (digest.length !== DIGEST_BYTES) throw invalidRequest(`digest must have ${DIGEST_BYTES} bytes`);
}

/** The slots of a node; `monotonicMs` is a clock that never goes back, in milliseconds. */
export function createSlotService(runtime: NodeRuntime, monotonicMs: () => number): SlotService {
  const { store, limits, metrics, logger, nowNs } = runtime;
  const { rateLimiterKeys: maxKeys, slotUploadBurst: burst, slotUploadPerSecond: perSecond } = limits;
  const uploads = new RateLimiter({ burst, perSecond, maxKeys, monotonicMs });
  const room = new WaitingRoom({ halfLifeMs: limits.slotWaitingHalfLifeMs, maxKeys, monotonicMs });
  const bounds = slotBounds(limits);

  function requireId({ length }: Uint8Array): void {
    const { slotIdMinBytes: least, slotIdMaxBytes: most } = limits;
    if (length >= least && length <= most) return;
    throw invalidRequest(`the slot's id has ${length} bytes, not ${least} to ${most}`);
  }

  function forbidden(): NodeError {
    metrics.slotUploads.inc({ outcome: "forbidden" });
    return new NodeError("SLOT_FORBIDDEN", "uploads to this slot need its credential, which the invite's key gives");
  }

  function takeUpload(slotId: Uint8Array): void {
    const retryAfterMs = uploads.take(keyOf(slotId));
    if (retryAfterMs === 0) return;
    metrics.rateLimited.inc({ scope: "slot_uploads" });
    const text = "this slot gets more uploads than the service allows; wait";
    throw new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs });
  }

  return {
    async upload(slotId, writer, receive) {
      requireId(slotId);
      // Before the body is received and counted: a stranger can neither fill the slot nor use up its rate.
      if (!(await store.slots.admits(slotId, writer))) throw forbidden();
      const bytes = await receive();
      requireAtMost("the blob", bytes.length, limits.slotBlobBytes);
      const now = nowNs();
      const blob = readBlob(bytes, now);
      takeUpload(slotId);
      const outcome = await store.slots.put(slotId, blob, bounds, now, writer);
      if (outcome === "forbidden") throw forbidden();
      if (outcome === "stored") room.depart(keyOf(slotId)); // A joiner that is done leaves a fresh blob.
      metrics.slotUploads.inc({ outcome });
      logger.debug({ slot: shortId(slotId), outcome, bytes: bytes.length }, "blob uploaded");
      return { outcome, bytes: bytes.length, servedUntilNs: servedUntilNs(blob, bounds, now) };
    },

    async find(slotId, match, has = () => false) {
      requireId(slotId);
      if (match !== undefined) requireMatch(match);
      const page = await store.slots.measure({ slotId, match, nowNs: nowNs() });
      const outcome = page.blobs.length === 0 ? "missing" : has(page.tag) ? "unchanged" : "found";
      metrics.slotFetches.inc({ outcome });
      return outcome === "missing" ? { outcome } : { outcome, page };
    },

    blob: (id) => store.slots.blob(id),

    waiting(slotId, joining) {
      requireId(slotId);
      const key = keyOf(slotId);
      const waiting = room.waiting(key);
      if (joining) room.arrive(key);
      return waiting;
    },
  };
}
