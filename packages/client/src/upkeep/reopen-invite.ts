import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/sync.ts";
import { hasStateToServe, uploadBlob } from "../invite/upload.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Duty } from "./duty.ts";

/*
 * A joiner cannot tell whether members accepted or refused a commit in the log. One refused commit of the present epoch
 * therefore blocks all joins until a member publishes a GroupInfo made behind it. A member that reads such a commit
 * uploads a fresh blob of the same state.
 *
 * However many such commits come, a member looks at the slots at most every `contestIntervalMs`, and uploads only where no
 * blob is behind the last of them. Members that listen wait first, the longer the more members there are.
 */

/** Only a confirmed member knows what was refused: the group may have refused the join of another. */
function isDue(core: GroupCore): boolean {
  const { mayWrite, record, reopening } = core;
  if (!mayWrite || record.status !== "confirmed" || record.contestedId <= reopening.answeredId) return false;
  return hasStateToServe(core);
}

/** The longest wait of a member that listens, in milliseconds. */
function windowMs({ mls }: GroupCore): number {
  const { contestSpreadMs, maxContestDelayMs } = CLIENT_LIMITS;
  return Math.min(maxContestDelayMs, contestSpreadMs * mls.memberCount);
}

async function reopen(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, reopening } = core;
  const nowNs = context.clock.nowNs();
  if (!isDue(core) || nowNs < reopening.nextNs) return;
  const pauseMs = CLIENT_LIMITS.contestIntervalMs + windowMs(core);
  reopening.nextNs = nowNs + BigInt(Math.ceil(pauseMs)) * 1_000_000n;
  // A state that is over must not take the place of the present one.
  await core.exclusive(() => syncLocked(core, signal), signal);
  if (isDue(core)) await uploadBlob(core, { unless: "genuine", signal });
}

/** Lets joiners in again after a refused commit, by a blob of the present state that was made behind it. */
export const REOPEN_INVITE: Duty = {
  name: "reopen-invite",
  run: reopen,
  delayMs: (core) => {
    const { context, reopening } = core;
    if (!isDue(core)) return undefined;
    const pauseMs = Number(reopening.nextNs - context.clock.nowNs()) / 1e6;
    return Math.max(0, pauseMs) + CLIENT_LIMITS.contestSpreadMs + windowMs(core) * context.random();
  },
};
