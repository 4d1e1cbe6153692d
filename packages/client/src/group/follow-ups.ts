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
  // Several commits in a row need one blob only: the newest.
  const lastRefresh = queued.findLast(({ kind }) => kind === "refresh");
  const lane = async (kind: FollowUpRecord["kind"]) => {
    for (const followUp of queued) {
      if (isAborted(signal)) return;
      if (followUp.kind !== kind) continue;
      const isOutdated = kind === "refresh" && followUp !== lastRefresh && followUp.payload.length === 0;
      await attempt(core, followUp, isOutdated, signal);
    }
  };
  await Promise.all([lane("welcome"), lane("refresh")]);
}

async function attempt(
  core: GroupCore,
  followUp: FollowUpRecord,
  isOutdated: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    if (followUp.kind === "welcome") await sendWelcome(core, followUp, signal);
    else if (!isOutdated) await refresh(core, followUp, signal);
    finish(core, followUp);
  } catch (error) {
    if (isAborted(signal)) return;
    reportInBackground(core.context, core.groupId, error);
    if (scopeOf(error) !== "availability" || codeOf(error) === "NODE_REJECTED") postpone(core, followUp);
  }
}

async function sendWelcome(core: GroupCore, followUp: FollowUpRecord, signal: AbortSignal | undefined): Promise<void> {
  const input = fromBinary(WelcomeMessageInputSchema, followUp.payload);
  await core.context.transport.sendWelcomeMessages([input], signal);
}

async function refresh(core: GroupCore, followUp: FollowUpRecord, signal: AbortSignal | undefined): Promise<void> {
  const scanned = followUp.payload.length === 0 ? undefined : followUp.payload;
  await core.hooks.refreshSlots(core, scanned, signal);
}

function finish(core: GroupCore, { groupId, followUpId }: FollowUpRecord): void {
  core.context.store.transaction(({ followUps }) => followUps.delete(groupId, followUpId));
}

function postpone(core: GroupCore, followUp: FollowUpRecord): void {
  const attempts = followUp.attempts + 1n;
  if (attempts >= CLIENT_LIMITS.maxFollowUpAttempts) finish(core, followUp);
  else core.context.store.transaction(({ followUps }) => followUps.put({ ...followUp, attempts }));
}
