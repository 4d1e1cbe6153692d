import type { VerifiedGroupInfo } from "@latchkey/mls";
import type { ClientContext } from "../group/client-context.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { JoinRecord } from "../store/records.ts";
import { candidatesInSlot, holdsOwnLeaf, isSignedByMember, statesSince, verifiedState } from "./group-states.ts";
import { recordConfirmed, recordRefused } from "./journal.ts";

/**
 * Whether a join that was first of its epoch may have been refused all the same: nobody has confirmed it, and messages of
 * the group came since that could not be read. Anybody can write such messages, so this alone proves nothing.
 */
export function isUnconfirmed(context: ClientContext, { groupId, state, commitId }: JoinRecord): boolean {
  return state === "JOINED" && context.store.rejections.listAfter(groupId, commitId ?? 0n).length > 0;
}

/**
 * What a state of the group says about a join: `confirmed` when the very leaf of the join is in it, `refused` when it is
 * of the epoch that the join began, or a later one, without that leaf. Undefined when it says nothing: its signer is
 * nobody whom the joiner found in the group.
 */
function verdictOf({ mls, context }: GroupCore, info: VerifiedGroupInfo): "confirmed" | "refused" | undefined {
  if (!isSignedByMember(context, mls, info)) return undefined;
  return holdsOwnLeaf(context, info, mls) ? "confirmed" : "refused";
}

/**
 * Looks for the proof of an unconfirmed join in its slot, as long as there is doubt: a look with a synchronization, ever rarer. A
 * refused join leaves an inactive group with status `refused`, and its invite can be used again.
 */
export async function settleUnconfirmedJoin(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  const join = context.store.joins.get(groupId);
  if (join === undefined || !isUnconfirmed(context, join) || core.record.status !== "pending") return;
  const candidates = await candidatesInSlot(context, join.invite, signal);
  for (const candidate of statesSince(candidates, groupId, core.mls.epoch)) {
    const info = await verifiedState(context, candidate);
    // Read meanwhile, the group may have gone beyond that state.
    if (info === undefined || info.context.epoch < core.mls.epoch) continue;
    const verdict = verdictOf(core, info);
    if (verdict === undefined) continue;
    await core.exclusive(async () => (verdict === "confirmed" ? recordConfirmed(core) : recordRefused(core)), signal);
    return;
  }
}
