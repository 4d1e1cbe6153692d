import { fromBinary } from "@bufbuild/protobuf";
import { applyIdentityUpdate, type AssociationState } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import type { Envelope } from "../storage/storage.ts";

/** Inboxes remembered; each state is below 100 KiB. */
const MAX_REMEMBERED = 512;

/**
 * Replays identity logs. States are remembered by the id they belong to: stored updates never change, so this saves
 * the milliseconds that each signature of a long log costs and decides nothing.
 */
export function createIdentityReplay(): (inboxId: string, log: readonly Envelope[]) => AssociationState | undefined {
  const remembered = new Map<string, { readonly lastId: bigint; readonly state: AssociationState }>();

  return (inboxId, log) => {
    const known = remembered.get(inboxId);
    let state = known?.state;
    for (const { id, payload } of log) {
      if (known !== undefined && id <= known.lastId) continue;
      state = applyIdentityUpdate(state, fromBinary(IdentityUpdateSchema, payload));
    }
    const lastId = log.at(-1)?.id;
    if (state === undefined || lastId === undefined) return undefined;

    remembered.delete(inboxId);
    remembered.set(inboxId, { lastId, state });
    const oldest = remembered.keys().next();
    if (remembered.size > MAX_REMEMBERED && oldest.done !== true) remembered.delete(oldest.value);
    return state;
  };
}
