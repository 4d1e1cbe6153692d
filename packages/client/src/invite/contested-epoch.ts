import { isAborted } from "../clock.ts";
import { reportInBackground } from "../defects.ts";
import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/log.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { hasStateToServe, uploadBlob } from "./refresh.ts";

/*
 * A stranger cannot tell a commit that members refuse from one that they accept: one refused commit of the present epoch
 * keeps out everybody who looks at an invite, until a member says that it has read that commit and is in the epoch still.
 * Whoever reads such a commit says so, by a fresh blob of the same state.
 *
 * However many such commits come, a member looks at the slots once in a while and uploads only where no blob is behind
 * the last of them; members that listen wait first, the longer the more of them there may be, so that mostly one uploads.
 */

/** Members alone know what was refused: a join that nobody has confirmed may itself be what the group refused. */
function isOwed(core: GroupCore): boolean {
  const { mayWrite, record, contest } = core;
  if (!mayWrite || record.status !== "confirmed" || record.contestedId <= contest.answeredId) return false;
  return hasStateToServe(core);
}

/** The longest wait of a member that listens, in milliseconds. */
function windowMs({ mls }: GroupCore): number {
  const { contestSpreadMs, maxContestDelayMs } = CLIENT_LIMITS;
  return Math.min(maxContestDelayMs, contestSpreadMs * mls.memberCount);
}

async function answer(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, contest } = core;
  const nowNs = context.clock.nowNs();
  if (!isOwed(core) || nowNs < contest.nextNs) return;
  const pauseMs = CLIENT_LIMITS.contestIntervalMs + windowMs(core);
  contest.nextNs = nowNs + BigInt(Math.ceil(pauseMs)) * 1_000_000n;
  // A state that is over must not take the place of the present one.
  await core.exclusive(() => syncLocked(core, signal));
  if (isOwed(core)) await uploadBlob(core, { unless: "genuine", signal });
}

/**
 * Uploads what is owed after a synchronization, at once unless it was done lately. Its failures are none of the
 * synchronization, and leave it owed.
 */
export async function answerContest(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  if (core.contest.isScheduled) return;
  try {
    await answer(core, signal);
  } catch (error) {
    if (!isAborted(signal)) reportInBackground(core.context, core.groupId, error);
  }
}

/** Uploads what is owed after a while, for members that are online. */
export function scheduleContestAnswer(core: GroupCore, signal: AbortSignal): void {
  const { context, contest } = core;
  if (contest.isScheduled || !isOwed(core)) return;
  contest.isScheduled = true;
  const pauseMs = Number(contest.nextNs - context.clock.nowNs()) / 1e6;
  const delayMs = Math.max(0, pauseMs) + CLIENT_LIMITS.contestSpreadMs + windowMs(core) * context.random();
  void context.clock
    .sleep(delayMs, signal)
    .then(() => answer(core, signal))
    .then(
      () => {
        contest.isScheduled = false;
        // What came meanwhile found an answer under way.
        if (!isAborted(signal)) scheduleContestAnswer(core, signal);
      },
      (error: unknown) => {
        contest.isScheduled = false;
        if (!isAborted(signal)) reportInBackground(context, core.groupId, error);
      },
    );
}
