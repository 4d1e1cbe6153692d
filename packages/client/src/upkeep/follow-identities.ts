import { isAborted } from "../clock.ts";
import { codeOf, scopeOf } from "../errors.ts";
import { commitChange } from "../group/commit.ts";
import { dueChanges, isOwnBehind, planFollow, type FollowScope } from "../group/follow.ts";
import type { GroupCore } from "../group/group-core.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { reportInBackground } from "../store/defects.ts";
import type { Duty } from "./duty.ts";

/*
 * Installations that members register later are added, and those they revoke are removed: by one commit a group for all
 * changes of all inboxes. Any member may make it. A device of the same inbox is the first; others do it before their own
 * send or commit, and while they listen after a time that is left to chance. XMTP's clients do all this too, so that only
 * what is missing is committed.
 */

const { identityFreshMs, followOwnSpreadMs, followOthersMs, followOthersSpreadMs, joinPauseNs } = CLIENT_LIMITS;

/** Whether this installation may commit to a group what it follows. */
function mayFollow({ isWritten, mayWrite, record, context }: GroupCore): boolean {
  if (!isWritten || !mayWrite || context.revocation.signal.aborted) return false;
  return record.status === "confirmed" || record.status === "pending";
}

/** Commits the changes that are due; nothing where there are none by the logs as they were read. */
async function follow(core: GroupCore, scope: FollowScope, signal: AbortSignal | undefined): Promise<void> {
  if (!mayFollow(core) || (await dueChanges(core, scope, signal)).length === 0) return;
  await commitChange(core, () => planFollow(core, scope, signal), signal, { isFollowing: true });
}

/** Registrations of others pause beside joins: a crowd in front of a poster commits one by one. */
function othersAfterNs(core: GroupCore, ageNs: bigint): bigint | undefined {
  return core.context.time.bestNs() - core.lastJoinNs < joinPauseNs ? undefined : ageNs;
}

function readMembers(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { news, own } = core.context;
  return news.read([...new Set([...core.state.members.keys(), own.inboxId])], identityFreshMs, signal);
}

/** Reads the log of the own inbox anew. Throws IDENTITY_REVOKED when it shows that this installation was revoked. */
export async function readOwnInbox({ context }: Pick<GroupCore, "context">, signal?: AbortSignal): Promise<void> {
  await context.news.read([context.own.inboxId], 0, signal);
  requireNotRevoked(context);
}

/**
 * Follows the members' logs before this installation sends or commits: revoked installations are out when this returns,
 * registered ones are in where they can be added.
 *
 * @throws IDENTITY_REVOKED when it is this installation that was revoked; COMMIT_CONFLICT and failures of the network, after
 * which nothing may be sent to whom it is not for. Members' faults are reported and stop nobody.
 */
export async function beforeWriting(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  requireNotRevoked(core.context);
  if (!mayFollow(core)) return;
  await readMembers(core, signal);
  requireNotRevoked(core.context);
  try {
    await follow(core, { othersAfterNs: othersAfterNs(core, 0n) }, signal);
  } catch (error) {
    if (scopeOf(error, signal) === "availability") throw error;
    reportInBackground(core.context, core.groupId, error);
  }
}

/** Follows the members' logs in the background; a registration of another inbox once it has some age. */
export async function followMembers(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  if (!mayFollow(core)) return;
  await readMembers(core, signal);
  await follow(core, { othersAfterNs: othersAfterNs(core, BigInt(followOthersMs) * 1_000_000n) }, signal);
}

/** Follows the own inbox, as far as its log was read: at once by a call, after a moment by whoever listens. */
export const FOLLOW_OWN: Duty = {
  name: "follow-own",
  neverWaits: true,
  run: async (core, signal) => {
    const inboxIds = [core.context.own.inboxId];
    if (isOwnBehind(core)) await follow(core, { inboxIds, othersAfterNs: undefined }, signal);
  },
  delayMs: (core) => (mayFollow(core) && isOwnBehind(core) ? followOwnSpreadMs * core.context.random() : undefined),
};

/**
 * Follows the members' logs for as long as an installation listens. It reads them after 30 to 90 seconds, again and again,
 * and is woken for a registration that it has seen too early. A failure is tried again at the next reading.
 */
export async function followWhileListening(core: GroupCore, signal: AbortSignal): Promise<void> {
  const { clock } = core.context;
  while (!isAborted(signal)) {
    try {
      await clock.sleep(await nextMs(core, signal), signal, { background: true });
      await followMembers(core, signal);
    } catch (error) {
      if (isAborted(signal)) return;
      const code = codeOf(error);
      // The stream itself ends by what its own work meets.
      if (code === "CLIENT_CLOSED" || code?.startsWith("STORE_") === true) return;
      reportInBackground(core.context, core.groupId, error);
    }
  }
}

/** Milliseconds until the members' logs are read next: a registration that was seen too early is due by its own age. */
async function nextMs(core: GroupCore, signal: AbortSignal): Promise<number> {
  const { context } = core;
  const drawnMs = followOthersMs + followOthersSpreadMs * context.random();
  if (!mayFollow(core)) return drawnMs;
  const seen = await dueChanges(core, { othersAfterNs: 0n }, signal);
  const oldestNs = seen.reduce<bigint | undefined>(
    (oldest, { updatedNs }) => (oldest === undefined || updatedNs < oldest ? updatedNs : oldest),
    undefined,
  );
  if (oldestNs === undefined) return drawnMs;
  const ageMs = Number(context.time.bestNs() - oldestNs) / 1e6;
  return ageMs < 0 || ageMs >= followOthersMs ? drawnMs : drawnMs - ageMs;
}
