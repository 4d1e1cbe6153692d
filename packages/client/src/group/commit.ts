import { encodeRows, LatchkeyError, type PendingCommit, type VerifiedCommit } from "@latchkey/mls";
import {
  CommitRejectedError,
  mergeAppData,
  requiredIdentities,
  validateMemberCommit,
  type IdentityPoint,
} from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { renewalOfCommit } from "./renewal-journal.ts";
import { encodeIdentityPoints } from "../identity/identity-points.ts";
import { requireNotRevoked } from "../identity/own-revocation.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { PendingCommitRecord } from "../store/records.ts";
import type { CommitPlan } from "./commit-plan.ts";
import { runFollowUps } from "./follow-ups.ts";
import type { GroupCore, PendingOwnCommit } from "./group-core.ts";
import { namingWhoIsInTheWay } from "./in-the-way.ts";
import { dropPendingCommit, isRefusal, newBackoff, outgoing, readBack, syncLocked } from "./sync.ts";
import { messageHash } from "./own-echo.ts";
import { withoutAbsentAdmins } from "./absent-roles.ts";
import { requireConfirmedReturn } from "./parted.ts";
import { encodeRecipients } from "./queue-follow-ups.ts";

/**
 * Commits a change and returns when it is part of the group, with what it leaves behind (Welcomes, fresh blobs) sent
 * or waiting to be sent. `plan` sees the newest epoch; undefined means that nothing is left to change.
 *
 * A commit leaves also while the log waits for an identity update: a stranger who posts joins that make it wait must not keep
 * an admin from ending the invite. IDENTITY_PENDING is thrown then, and a sync after `data.untilNs` at the latest settles it.
 *
 * The identity logs of members are followed before, unless this commit does so itself.
 *
 * @throws COMMIT_CONFLICT when others came first every time; NOT_A_MEMBER; IDENTITY_REVOKED; what `plan` throws; IDENTITY_PENDING and errors of
 * the network, after which the commit may still take effect and is settled by the next sync.
 */
export async function commitChange(
  core: GroupCore,
  plan: () => Promise<CommitPlan | undefined>,
  signal?: AbortSignal,
  options: { readonly isFollowing?: boolean } = {},
): Promise<void> {
  requireNotRevoked(core.context);
  if (options.isFollowing !== true) await core.hooks.beforeWriting(core, signal);
  const done = await core.exclusive(() => tryCommit(core, plan, signal), signal);
  if (!done) {
    throw clientError("COMMIT_CONFLICT", `other changes came first ${CLIENT_LIMITS.maxCommitAttempts} times; repeat`);
  }
  await runFollowUps(core, signal);
}

async function tryCommit(core: GroupCore, plan: () => Promise<CommitPlan | undefined>, signal?: AbortSignal) {
  const backoff = newBackoff(core.context);
  for (let attempt = 0; attempt < CLIENT_LIMITS.maxCommitAttempts; attempt++) {
    await syncLocked(core, signal);
    core.requireActive();
    requireConfirmedReturn(core);
    if (core.pendingCommit !== undefined) await readBack(core, () => core.pendingCommit === undefined, signal);
    const planned = await plan();
    if (planned === undefined) return true;
    const own = await prepareCommit(core, withoutAbsentAdmins(core, planned), signal);
    await publishCommit(core, own, signal);
    await readBack(core, () => own.outcome !== "waiting", signal);
    if (own.outcome instanceof LatchkeyError) throw own.outcome;
    if (own.outcome === "merged") return true;
    await core.context.clock.sleep(backoff.nextMs(), signal);
  }
  return false;
}

/**
 * Judges an own commit by the rules that every member will apply to it, before it leaves: what nobody would accept is
 * the caller's error and costs the group nothing. Returns the points of identity logs that they will look up.
 */
async function checkOwnCommit(
  core: GroupCore,
  plan: CommitPlan,
  live: PendingCommit,
  signal?: AbortSignal,
): Promise<IdentityPoint[]> {
  const { mls, context } = core;
  const sender = { kind: "member", leafIndex: mls.ownLeafIndex } as const;
  const commit: VerifiedCommit = {
    wireFormat: "private_message",
    sender,
    context: mls.context,
    proposals: plan.proposals.map((proposal) => ({ proposal, sender, byReference: false })),
    pathLeaf: mls.leaf(mls.ownLeafIndex),
    committerLeafIndex: mls.ownLeafIndex,
    added: live.added,
    removed: plan.proposals.flatMap((proposal) => {
      const leafNode = proposal.kind === "remove" ? mls.leaf(proposal.removed) : undefined;
      return proposal.kind === "remove" && leafNode !== undefined ? [{ leafIndex: proposal.removed, leafNode }] : [];
    }),
    updated: [],
  };
  const { appData } = mls;
  const points = requiredIdentities(commit, appData);
  const { stateAfter: identity } = await context.directory.lookup(points, { signal });
  try {
    validateMemberCommit({
      commit,
      appData,
      newAppData: mergeAppData(appData, plan.appData ?? new Map()),
      leaves: mls,
      identity,
      envelopeTimeNs: context.time.bestNs(),
    });
  } catch (error) {
    if (!(error instanceof CommitRejectedError) || error.rule !== "InsufficientPermissions") throw error;
    throw clientError("NOT_PERMITTED", "the rules of the group do not allow this to you; ask an admin", {
      rule: error.rule,
      cause: error,
    });
  }
  return points;
}

async function prepareCommit(core: GroupCore, plan: CommitPlan, signal?: AbortSignal): Promise<PendingOwnCommit> {
  const building = core.mls.createCommit({
    proposals: plan.proposals,
    references: [],
    ...(plan.appData === undefined ? {} : { appData: plan.appData }),
  });
  const live = await building.catch((error: unknown) => {
    throw namingWhoIsInTheWay(core.mls.members(), error);
  });
  const points = await checkOwnCommit(core, plan, live, signal);
  const record: PendingCommitRecord = {
    groupId: core.groupId,
    epoch: core.mls.epoch,
    message: live.message,
    messageHash: messageHash(core.context, live.message),
    rows: encodeRows(live.rows),
    welcome: live.welcome,
    recipients: encodeRecipients(live.added.map(({ keyPackage }) => keyPackage)),
    renewal: renewalOfCommit(plan.proposals, plan.renewal),
    identities: encodeIdentityPoints(points),
  };
  // The message key of the commit is spent on disk before the commit leaves.
  core.step({
    change: live.sent,
    write: (tables) => {
      tables.pendingCommits.put(record);
      plan.write?.(tables);
    },
  });
  core.pendingCommit = { record, live, outcome: "waiting" };
  return core.pendingCommit;
}

async function publishCommit(core: GroupCore, own: PendingOwnCommit, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  try {
    await context.transport.sendGroupMessages([outgoing(context, groupId, own.record.message, false)], signal);
  } catch (error) {
    if (isRefusal(error)) dropPendingCommit(core);
    throw error;
  }
}
