import { LatchkeyError } from "@latchkey/mls";
import type { InvitePayload } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { reportInBackground } from "../store/defects.ts";
import { clientError } from "../errors.ts";
import { runFollowUps } from "../group/follow-ups.ts";
import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/sync.ts";
import { mistypedOr } from "../invite/links/mistyped.ts";
import { findInviteOrImage, readInvite } from "../invite/read-invite.ts";
import { fetchInTurn, servicesToAsk } from "../invite/service.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { Attempts, journalled, type BlobSource } from "./attempts.ts";
import { recordWaiting } from "./device-waits.ts";
import type { JoinOptions } from "./options.ts";
import type { JoinStep } from "./progress.ts";

/** The end of a join by the caller's will or by time. */
interface Deadline {
  readonly signal: AbortSignal;
  /** What an abort means: stopped by the caller, or out of time, for the given reason if there is one. */
  error(pending: boolean, reason: LatchkeyError | undefined): LatchkeyError;
}

function startDeadline(context: GroupsContext, options: JoinOptions): Deadline {
  const timeoutMs = options.timeoutMs ?? CLIENT_LIMITS.joinTimeoutMs;
  const timeout = context.clock.timeout(timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  return {
    signal,
    error(pending, reason) {
      const data = { pending };
      const cause: unknown = signal.reason;
      if (isAborted(options.signal)) return clientError("JOIN_ABORTED", "the join was stopped", { data, cause });
      if (!pending && reason !== undefined) return reason;
      return clientError("JOIN_TIMEOUT", `the join was not done within ${timeoutMs} ms; join again`, { data, cause });
    },
  };
}

/**
 * Joins the group that an invite leads to, with all devices of this inbox, while nobody in the group needs to be
 * online. Returns when the own commit is known to be the first of its epoch and the group is on disk.
 *
 * @param invite the link or a text with it, the bytes of the ExternalInvitePayload, or an image of the QR code.
 * @throws INVITE_MALFORMED, INVITE_NO_QR, INVITE_POINTER_OPAQUE, INVITE_UNKNOWN_SLOT, INVITE_NO_CANDIDATE,
 * INVITE_DISABLED, INVITE_EXPIRED, INVITE_STALE, INVITE_EXHAUSTED, INVITE_ROTATED, ALREADY_MEMBER, DEVICE_WAITS, KEY_PACKAGE_MISSING,
 * JOIN_LOST, JOIN_TIMEOUT, JOIN_ABORTED, GROUP_UNSUPPORTED, COMMIT_REJECTED, IDENTITY_REVOKED, NODE_UNREACHABLE,
 * NODE_REJECTED, RATE_LIMITED, and the codes of the store. After any of them either nothing has happened, or the join is
 * in the journal and taken up again by the next call, sync, or start.
 */
export async function joinByExternalCommit(
  context: GroupsContext,
  invite: string | Uint8Array,
  options: JoinOptions = {},
): Promise<GroupCore> {
  const deadline = startDeadline(context, options);
  const { signal } = deadline;
  const find = () => findInviteOrImage(invite, context.readQr, signal);
  const { payload, checksum } = await beforeJoin(deadline, find);
  const services = await beforeJoin(deadline, () => servicesToAsk(context, payload, signal));
  try {
    return await join(context, payload, options, fetchInTurn(context, services, payload), deadline);
  } catch (error) {
    throw mistypedOr(error, checksum);
  }
}

/**
 * As `joinByExternalCommit`, for applications that carry the blobs themselves: nothing newer can be fetched, so JOIN_LOST and
 * INVITE_STALE are thrown at once.
 */
export async function joinByBlobs(
  context: GroupsContext,
  invite: string | Uint8Array,
  blobs: readonly Uint8Array[],
  options: JoinOptions = {},
): Promise<GroupCore> {
  const contents = { blobs, tag: undefined, waiting: undefined };
  return join(context, readInvite(invite), options, async (_fetch, reason) => {
    if (reason?.code === "JOIN_LOST" || reason?.code === "INVITE_STALE") throw reason;
    return contents;
  });
}

/** A part of a join that sends nothing to the group. */
async function beforeJoin<T>(deadline: Deadline, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw isAborted(deadline.signal) ? deadline.error(false, undefined) : error;
  }
}

async function join(
  context: GroupsContext,
  payload: InvitePayload,
  options: JoinOptions,
  source: BlobSource,
  deadline = startDeadline(context, options),
): Promise<GroupCore> {
  const attempts = new Attempts(context, payload, options, source, deadline.signal);
  try {
    // One join at a time: a code scanned twice must not lead to two drafts of one group.
    const run = () =>
      attempts.run().catch((error: unknown) => {
        if (error instanceof LatchkeyError && error.code === "DEVICE_WAITS") recordWaiting(context, payload, error);
        throw error;
      });
    const core = await context.joinTurn.run(run, deadline.signal);
    await finish(core, deadline.signal, attempts.report);
    return core;
  } catch (error) {
    if (error instanceof LatchkeyError || !isAborted(deadline.signal)) throw error;
    throw deadline.error(journalled(context, payload) !== undefined, attempts.reason);
  }
}

/** Welcomes, blobs and what was said meanwhile: none of it can make a join fail that has happened. */
async function finish(core: GroupCore, signal: AbortSignal, report: (step: JoinStep) => void): Promise<void> {
  report("following-up");
  try {
    await runFollowUps(core, signal);
    await core.exclusive(() => syncLocked(core, signal), signal);
    await core.hooks.afterReading(core, signal);
  } catch (error) {
    if (!isAborted(signal)) reportInBackground(core.context, core.groupId, error);
  }
  report("done");
}
