import { toHex } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { reportInBackground } from "../store/defects.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { JoinState } from "../store/records.ts";
import { settleContestByLog, settleContestsBySlots } from "./contest.ts";
import { forgetWaits } from "./device-waits.ts";
import { isUnconfirmed } from "./unconfirmed-join.ts";
import { settleJoin } from "./settle.ts";

/** A join that is not over: under way, or not yet confirmed by a member. */
export interface PendingJoin {
  /** In hex. */
  readonly groupId: string;
  readonly state: JoinState;
  readonly startedAtNs: bigint;
  /** Messages of the group came that could not be read: it may have gone on without this join, and joining again is no harm. */
  readonly unconfirmed: boolean;
}

/** The joins in the journal. */
export function listPendingJoins(context: GroupsContext): PendingJoin[] {
  return context.store.joins.list().map((join) => ({
    groupId: toHex(join.groupId),
    state: join.state,
    startedAtNs: join.startedAtNs,
    unconfirmed: isUnconfirmed(context, join),
  }));
}

/**
 * Takes up every join that a crash or the network interrupted. Returns the groups that were reached; what cannot be
 * settled now stays in the journal.
 */
export function resumePendingJoins(context: GroupsContext, signal?: AbortSignal): Promise<GroupCore[]> {
  return context.joinTurn.run(async () => {
    const reached = await resumeInTurn(context, signal);
    return [...reached, ...(await settleContestsBySlots(context, signal))];
  }, signal);
}

/** As `resumePendingJoins` by the log alone, for whoever has the turn and looks at slots anyway. */
export async function resumeInTurn(context: GroupsContext, signal: AbortSignal | undefined): Promise<GroupCore[]> {
  forgetWaits(context);
  const reached: GroupCore[] = [];
  for (const join of context.store.joins.list()) {
    if (join.state === "JOINED" || join.state === "WAITING") continue;
    try {
      const settled = await settleJoin(context, join, { signal });
      const isContest = join.state === "CONTESTED";
      const core = isContest ? await settleContestByLog(context, join, signal) : settled;
      if (core !== undefined) reached.push(core);
    } catch (error) {
      if (isAborted(signal)) throw error;
      reportInBackground(context, join.groupId, error);
    }
  }
  return reached;
}
