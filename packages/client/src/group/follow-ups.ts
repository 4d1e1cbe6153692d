import { fromBinary } from "@bufbuild/protobuf";
import { WelcomeMessageInputSchema } from "@latchkey/xmtp/proto";
import { isAborted } from "../clock.ts";
import { reportInBackground } from "../store/defects.ts";
import { codeOf, scopeOf } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { FollowUpRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";

/**
 * Does what merged commits left to do: Welcomes and blobs side by side, because others wait for either, each oldest first. A failure never fails the commit or the join it belongs to: the
 * work stays in the queue and is tried again with the next sync; what is refused again and again is dropped.
 */
export function runFollowUps(core: GroupCore, signal?: AbortSignal): Promise<void> {
  return core.followUpTurn.run(() => runQueue(core, signal), signal);
}

async function runQueue(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const queued = core.context.store.followUps.list(core.groupId);
  const welcomes = queued.filter(({ kind }) => kind === "welcome");
  const refreshes = queued.filter(({ kind }) => kind === "refresh");
  await Promise.all([sendWelcomes(core, welcomes, signal), refreshInTurn(core, refreshes, signal)]);
}

async function refreshInTurn(
  core: GroupCore,
  refreshes: readonly FollowUpRecord[],
  signal: AbortSignal | undefined,
): Promise<void> {
  // Several commits in a row need one blob only: the newest.
  const last = refreshes.at(-1);
  for (const followUp of refreshes) {
    if (isAborted(signal)) return;
    const isOutdated = followUp !== last && followUp.payload.length === 0;
    await attempt(core, [followUp], signal, async () => {
      if (!isOutdated) await refresh(core, followUp, signal);
    });
  }
}

async function sendWelcomes(
  core: GroupCore,
  welcomes: readonly FollowUpRecord[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const batch of batchesOf(welcomes)) {
    if (isAborted(signal)) return;
    await attempt(core, batch, signal, async (part) => {
      const inputs = part.map(({ payload }) => fromBinary(WelcomeMessageInputSchema, payload));
      await core.context.transport.sendWelcomeMessages(inputs, signal);
    });
  }
}

function batchesOf(welcomes: readonly FollowUpRecord[]): FollowUpRecord[][] {
  const batches: FollowUpRecord[][] = [];
  let bytes = 0;
  for (const welcome of welcomes) {
    const batch = batches.at(-1);
    bytes += welcome.payload.length;
    const fits = bytes <= CLIENT_LIMITS.welcomeBatchBytes && (batch?.length ?? 0) < CLIENT_LIMITS.welcomeBatch;
    if (batch !== undefined && fits) batch.push(welcome);
    else {
      batches.push([welcome]);
      bytes = welcome.payload.length;
    }
  }
  return batches;
}

/**
 * Does the work of follow-ups and takes them off the queue. Several that the node refuses together are tried one by one: one
 * of them may be what it does not take.
 */
async function attempt(
  core: GroupCore,
  followUps: readonly FollowUpRecord[],
  signal: AbortSignal | undefined,
  work: (followUps: readonly FollowUpRecord[]) => Promise<void>,
): Promise<void> {
  try {
    await work(followUps);
    finish(core, followUps);
  } catch (error) {
    if (isAborted(signal)) return;
    const isRefused = codeOf(error) === "NODE_REJECTED";
    if (isRefused && followUps.length > 1) {
      for (const one of followUps) await attempt(core, [one], signal, work);
      return;
    }
    reportInBackground(core.context, core.groupId, error);
    if (scopeOf(error) !== "availability" || isRefused) postpone(core, followUps);
  }
}

async function refresh(core: GroupCore, followUp: FollowUpRecord, signal: AbortSignal | undefined): Promise<void> {
  const scanned = followUp.payload.length === 0 ? undefined : followUp.payload;
  await core.hooks.refreshSlots(core, scanned, signal);
}

function finish(core: GroupCore, done: readonly FollowUpRecord[]): void {
  core.context.store.transaction(({ followUps }) => {
    for (const { groupId, followUpId } of done) followUps.delete(groupId, followUpId);
  });
}

function postpone(core: GroupCore, failed: readonly FollowUpRecord[]): void {
  core.context.store.transaction(({ followUps }) => {
    for (const followUp of failed) {
      const attempts = followUp.attempts + 1n;
      if (attempts >= CLIENT_LIMITS.maxFollowUpAttempts) followUps.delete(followUp.groupId, followUp.followUpId);
      else followUps.put({ ...followUp, attempts });
    }
  });
}
