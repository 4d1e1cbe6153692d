import type { Apart } from "../apart.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { findQuietGroups } from "../group/quiet-groups.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { deleteExpired } from "../group/disappearing.ts";
import { runFollowUps } from "../group/follow-ups.ts";
import { syncLocked } from "../group/sync.ts";
import { settleUnconfirmedJoin } from "../join/unconfirmed-join.ts";
import { runDuty, scheduleDuty, type Duty } from "./duty.ts";
import { beforeWriting, FOLLOW_OWN } from "./follow-identities.ts";
import { JOIN_RECEIPT } from "./join-receipts.ts";
import { LEAVE_REQUESTS } from "./leave-requests.ts";
import { MISSING_INSTALLATIONS } from "./missing-installations.ts";
import { settleHints } from "./parted-proof.ts";
import { ANSWER_READDS, requestReadd } from "./readd.ts";
import { RENEWAL } from "./renewals.ts";
import { REOPEN_INVITE } from "./reopen-invite.ts";

/**
 * The duties of an installation after it has read a group's log, in their order: after `conversations.sync()`,
 * `group.sync()` and a join, and after each batch of a stream.
 */
export const DUTIES: readonly Duty[] = [
  { name: "unconfirmed-join", run: settleUnconfirmedJoin },
  { name: "hints", run: settleHints },
  { name: "readd-request", run: requestReadd },
  ANSWER_READDS,
  { name: "disappearing-messages", run: async (core) => deleteExpired(core) },
  { name: "follow-ups", run: runFollowUps },
  RENEWAL,
  LEAVE_REQUESTS,
  JOIN_RECEIPT,
  REOPEN_INVITE,
  FOLLOW_OWN,
  MISSING_INSTALLATIONS,
];

/**
 * Does every duty that is due, but for those that wait already for the sake of a stream. A duty that fails is due again after
 * the next reading and keeps no other from being done.
 *
 * @throws when the signal is aborted, and the codes that begin with STORE_, CLIENT_CLOSED.
 */
export async function afterReading(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  for (const duty of DUTIES) {
    const waits = duty.neverWaits !== true && core.dutyTimes.get(duty.name) === "waiting";
    if (!waits) await runDuty(core, duty, signal);
  }
}

/**
 * Reads the group's log to its end and does what is due then. Throws what `beforeWriting`, `syncLocked` and `afterReading`
 * throw.
 */
export async function readAndSettle(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  // What waits is sent to those who are members when it leaves.
  if (core.context.store.outbox.count(core.groupId) > 0) await beforeWriting(core, signal);
  await core.exclusive(() => syncLocked(core, signal), signal);
  await afterReading(core, signal);
}

/** As `readAndSettle` for many groups, some at a time; the logs with news are found by one question. */
export async function readAndSettleAll(
  context: GroupsContext,
  cores: readonly GroupCore[],
  apart: Apart,
  signal: AbortSignal | undefined,
): Promise<void> {
  const quiet = await findQuietGroups(context, cores, signal);
  await apart.each(cores, CLIENT_LIMITS.groupsAtOnce, (core) =>
    quiet.has(core) ? afterReading(core, signal) : readAndSettle(core, signal),
  );
}

/**
 * As `afterReading` for an installation that listens: duties that any member can do are scheduled, so that mostly one member
 * does them. Throws as `afterReading`.
 */
export async function afterEnvelope(core: GroupCore, signal: AbortSignal): Promise<void> {
  for (const duty of DUTIES) if (duty.delayMs !== undefined) scheduleDuty(core, duty, signal);
  for (const duty of DUTIES) if (duty.delayMs === undefined) await runDuty(core, duty, signal);
}
