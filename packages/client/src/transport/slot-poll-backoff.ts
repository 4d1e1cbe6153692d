import { bytesKey } from "@latchkey/mls";
import { CLIENT_LIMITS } from "../limits.ts";

/**
 * When the slots of joins that wait for a state of their group may be polled again. Each pause is twice the one before: no
 * member may ever end the wait, and the invite's service may be slow and its answers large. Kept in memory.
 */
export class SlotPollBackoff {
  readonly #next = new Map<string, { readonly nextNs: bigint; readonly pauseMs: number }>();

  /** Whether the slot of an invite may be polled now; true begins the next pause. */
  isDue(invite: Uint8Array, nowNs: bigint): boolean {
    const key = bytesKey(invite);
    const { nextNs, pauseMs } = this.#next.get(key) ?? { nextNs: nowNs, pauseMs: CLIENT_LIMITS.slotLookMs };
    if (nowNs < nextNs) return false;
    const longer = Math.min(2 * pauseMs, CLIENT_LIMITS.maxSlotLookMs);
    this.#next.set(key, { nextNs: nowNs + BigInt(pauseMs) * 1_000_000n, pauseMs: longer });
    return true;
  }
}
