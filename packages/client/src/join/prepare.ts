import {
  bytesKey,
  createExternalCommit,
  encodeRows,
  LatchkeyError,
  tryAdds,
  VerifiedTreeCache,
  verifyGroupInfo,
  type AddsToTry,
  type VerifiedGroupInfo,
} from "@latchkey/mls";
import {
  applyAppDataUpdates,
  appDataUpdate,
  checkJoinable,
  checkWelcomedGroup,
  COMPONENT,
  encodeInvitePayload,
  installationLeaf,
  membershipIdentities,
  membershipInsert,
  MissingIdentityError,
  saturatedNs,
  selectCandidates,
  validateWelcome,
  XMTP_CIPHER_SUITE,
  type Candidate,
  type ExternalCommitPolicyV1,
  type InvitePayload,
} from "@latchkey/xmtp";
import type { GroupsContext } from "../group/group-registry.ts";
import { asLatchkeyError, clientError, codeOf, scopeOf } from "../errors.ts";
import { unusableError, usableIn } from "../group/adds.ts";
import { fetchKeyPackages, type FetchedKeyPackages } from "../identity/key-packages.ts";
import { messageHash } from "../group/own-echo.ts";
import { encodeRecipients } from "../group/queue-follow-ups.ts";
import type { JoinRecord } from "../store/records.ts";
import type { GroupCore } from "../group/group-core.ts";
import { deviceWaits } from "./device-waits.ts";
import { isUnconfirmed } from "./unconfirmed-join.ts";
import { LogScan } from "./log-scan.ts";

/** An invite under way, with what its attempts share. */
export interface JoinRequest {
  readonly context: GroupsContext;
  readonly payload: InvitePayload;
  /** Fail when a device of ours cannot come along, instead of joining without it. */
  readonly allOrNothing: boolean;
  /** Trees verified in earlier attempts, so that a retry costs only what is new. */
  readonly verifiedTrees: VerifiedTreeCache;
  /** How far the logs of groups were read, by group id, so that a retry reads only what is new. */
  readonly scans: Map<string, LogScan>;
  /** The own devices, looked up once: what they were at the first attempt may go into the commit of the last. */
  devices?: OwnDevices;
}

/** A request that nothing has been done for. */
export function newJoinRequest(context: GroupsContext, payload: InvitePayload, allOrNothing = false): JoinRequest {
  return { context, payload, allOrNothing, verifiedTrees: new VerifiedTreeCache(), scans: new Map() };
}

/** The other devices of this inbox, to be tried against each state of the group. */
interface OwnDevices {
  readonly sequenceId: bigint;
  readonly fetched: FetchedKeyPackages;
}

/** A candidate that passed every check that can be made before anything is sent. */
export interface JoinableCandidate {
  readonly info: VerifiedGroupInfo;
  readonly policy: ExternalCommitPolicyV1;
  /** The log read to its end after the candidate was fetched, with no commit that ends its epoch in it. */
  readonly scan: LogScan;
  /** A member has seen the log up to here, in this epoch; 0 when it did not say. */
  readonly logCursor: bigint;
  /** The end of the blob, in nanoseconds since 1970; 0 for none. */
  readonly expiresAtNs: bigint;
}

/**
 * The best usable candidate among the blobs of a slot: opened, verified, checked against the policy inside of it and
 * against the group's log, the highest epoch first (XIP-82). Nothing is sent.
 *
 * @throws the reason why the best one cannot be used: the INVITE_… codes, ALREADY_MEMBER, GROUP_UNSUPPORTED; errors of
 * the network.
 */
export async function chooseCandidate(
  request: JoinRequest,
  blobs: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<JoinableCandidate> {
  const { context, payload } = request;
  const suite = context.crypto.suite(XMTP_CIPHER_SUITE);
  const nowNs = context.time.bestNs();
  const { candidates, rejected } = selectCandidates({ suite, blobs, key: payload.symmetricKey, nowNs });
  let reason: LatchkeyError | undefined;
  for (const candidate of candidates) {
    try {
      return await checkCandidate(request, candidate, signal);
    } catch (error) {
      // What nobody else has to judge alike needs no second try: the next blob of the slot may be better.
      if (scopeOf(error, signal) === "availability") throw error;
      reason ??= asLatchkeyError(error);
    }
  }
  if (reason !== undefined) throw reason;
  const onlyExpired = rejected.length > 0 && rejected.every(({ code }) => code === "INVITE_EXPIRED");
  if (onlyExpired) throw clientError("INVITE_EXPIRED", "what the service holds has expired; ask for a new link");
  throw clientError("INVITE_NO_CANDIDATE", "the service holds nothing that this invite opens; ask for a new link", {
    data: { reasons: rejected },
  });
}

async function checkCandidate(
  request: JoinRequest,
  candidate: Candidate,
  signal: AbortSignal | undefined,
): Promise<JoinableCandidate> {
  const { context, payload, verifiedTrees } = request;
  const { logCursor } = candidate;
  await requireNotOver(request, candidate, signal);
  const info = await verifyCandidate(context, candidate, verifiedTrees);
  const nowNs = context.time.bestNs();
  const { groupId, epoch } = info.context;
  const own = context.groups.get(groupId);
  const isIn = own?.active === true && own.record.status !== "parted";
  if (isIn && !mayBePhantom(context, own, epoch)) {
    throw clientError("ALREADY_MEMBER", "this installation is in the group already; open it instead", {
      data: { groupId: own.id },
    });
  }
  const scan = scanOf(request, groupId, epoch, logCursor);
  // Whoever was removed still stands in blobs from before: that those are over is the truth to tell.
  if (own !== undefined) await requireOpen(scan, epoch, logCursor, signal);
  const { policy } = await unlessWaiting(context, info, isIn, signal, () =>
    checkJoinable({ info, payload, blob: candidate, inboxId: context.own.inboxId, nowNs }),
  );
  await requireOpen(scan, epoch, logCursor, signal);
  await checkCandidateMembers(context, info, signal);
  return { info, policy, scan, logCursor, expiresAtNs: saturatedNs(candidate.expiresAtNs) };
}

/** Throws DEVICE_WAITS in the place of ALREADY_MEMBER where the inbox is in the group and this installation is not. */
async function unlessWaiting<T>(
  context: GroupsContext,
  info: VerifiedGroupInfo,
  isIn: boolean,
  signal: AbortSignal | undefined,
  check: () => T,
): Promise<T> {
  try {
    return check();
  } catch (error) {
    if (isIn || codeOf(error) !== "ALREADY_MEMBER") throw error;
    throw (await deviceWaits(context, info, signal)) ?? error;
  }
}

/** A candidate that names an update which the node does not show yet: another one may do better, or a later look. */
async function checkCandidateMembers(
  context: GroupsContext,
  info: VerifiedGroupInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { appData } = info;
  const group = { epoch: info.context.epoch, appData, members: () => info.members() };
  checkWelcomedGroup(group);
  const { stateAfter: identity } = await context.directory.lookup(membershipIdentities(appData), { signal });
  try {
    validateWelcome(group, identity);
  } catch (cause) {
    if (!(cause instanceof MissingIdentityError)) throw cause;
    const message = "the node does not show the identity of a member yet; try again shortly";
    throw clientError("IDENTITY_PENDING", message, { scope: "message", cause });
  }
}

/**
 * Whether the group of that id may be one that this installation only believes to be in: an unconfirmed join, beside a later
 * state. If that state has this inbox in it, the join is refused as any other of a member.
 */
function mayBePhantom(context: GroupsContext, own: GroupCore, epoch: bigint): boolean {
  const join = context.store.joins.get(own.groupId);
  return join !== undefined && isUnconfirmed(context, join) && epoch >= own.mls.epoch;
}

/**
 * Throws INVITE_STALE when the log, as an earlier attempt knows it, shows that the candidate's epoch is over: in a crowd
 * most candidates are, and to find that out costs one question instead of a verified tree.
 */
async function requireNotOver(
  request: JoinRequest,
  { groupId, epoch, logCursor }: Candidate,
  signal: AbortSignal | undefined,
): Promise<void> {
  const scan = request.scans.get(bytesKey(groupId));
  if (scan === undefined || scan.fromEpoch > epoch) return;
  await requireOpen(scan, epoch, logCursor, signal);
}

/** The reading of a group's log that knows about this epoch. */
function scanOf({ context, scans }: JoinRequest, groupId: Uint8Array, epoch: bigint, logCursor: bigint): LogScan {
  const known = scans.get(bytesKey(groupId));
  if (known !== undefined && known.fromEpoch <= epoch) return known;
  const scan = new LogScan(context, groupId, { fromEpoch: epoch, afterId: logCursor, hinted: true });
  scans.set(bytesKey(groupId), scan);
  return scan;
}

/** Reads the log to its end; throws INVITE_STALE when it holds a commit behind `logCursor` that ends the epoch. */
async function requireOpen(
  scan: LogScan,
  epoch: bigint,
  logCursor: bigint,
  signal: AbortSignal | undefined,
): Promise<void> {
  await scan.advance(signal);
  // Nobody has read further than the log goes.
  const behind = logCursor <= scan.cursor ? logCursor : 0n;
  if (scan.commits(epoch, behind).length > 0) throw staleInvite(scan);
}

/** The slot holds nothing of the epoch that the log has reached. */
export function staleInvite({ openEpoch }: LogScan): LatchkeyError {
  return clientError("INVITE_STALE", "the group has moved on since the invite's blob was made; try again shortly", {
    data: { openEpoch },
  });
}

/** A GroupInfo that does not verify is a bad candidate like one that does not open. */
async function verifyCandidate(context: GroupsContext, candidate: Candidate, verifiedTrees: VerifiedTreeCache) {
  try {
    return await verifyGroupInfo({ crypto: context.crypto, verifiedTrees }, candidate.groupInfo);
  } catch (error) {
    if (!(error instanceof LatchkeyError)) throw error;
    throw clientError("INVITE_NO_CANDIDATE", "the service holds a group state that does not verify", {
      data: { reasons: [{ code: error.code, rule: error.rule }] },
      cause: error,
    });
  }
}

/** Own devices that come along in the same commit. */
async function ownDevices(request: JoinRequest, signal: AbortSignal | undefined): Promise<OwnDevices> {
  if (request.devices !== undefined) return request.devices;
  const { context } = request;
  const { inboxId, installationId } = context.own;
  const { state, sequenceId } = await context.directory.latestOf(inboxId, signal);
  const installations = state.installations();
  if (!installations.includes(installationId)) {
    throw clientError("IDENTITY_REVOKED", "this installation was revoked; register a new one");
  }
  const siblings = installations.filter((id) => id !== installationId);
  const [fetched] = await fetchKeyPackages(context, [{ inboxId, installationIds: siblings }], signal);
  return (request.devices = { sequenceId, fetched: fetched ?? { inboxId, keyPackages: [], unusable: [] } });
}

/** Those of them that can come along into this state of the group; see `JoinOptions.allOrNothing`. */
function comingAlong({ context, allOrNothing }: JoinRequest, { fetched }: OwnDevices, info: VerifiedGroupInfo) {
  const target = { tryAdds: (adds: AddsToTry) => tryAdds(info, adds), hasInvite: true };
  const [tried = fetched] = usableIn(target, [fetched]);
  if (allOrNothing && tried.unusable.length > 0) {
    throw unusableError("devices of yours cannot come along; open Latchkey on them once", [tried]);
  }
  context.keyPackageFaults.note(info.context.groupId, tried.unusable);
  return tried;
}

/**
 * Builds the one commit by which this inbox joins with all its devices, in memory (XIP-82): ExternalInit, an Add per
 * sibling, and the own membership entry with the slot id of the policy that is inside the group.
 */
export async function prepareJoin(
  request: JoinRequest,
  candidate: JoinableCandidate,
  signal: AbortSignal | undefined,
): Promise<JoinRecord> {
  const { context, payload, verifiedTrees } = request;
  const { info, policy, scan, logCursor } = candidate;
  const { inboxId } = context.own;
  const devices = await ownDevices(request, signal);
  const { keyPackages, unusable } = comingAlong(request, devices, info);
  const update = membershipInsert({
    inboxId,
    sequenceId: devices.sequenceId,
    failedInstallations: unusable.map(({ installationId }) => installationId),
    externalGroupId: policy.externalGroupId,
  });
  const componentId = COMPONENT.groupMembership;
  const { message, welcome, group } = await createExternalCommit({ ...context.groupConfig, verifiedTrees }, info, {
    leaf: installationLeaf(inboxId),
    adds: keyPackages,
    appDataUpdates: [{ componentId, update }],
    appData: applyAppDataUpdates(info.appData, [appDataUpdate(componentId, update)]),
  });
  // A last look, right before the commit leaves: under contention it saves a commit that would be lost.
  await requireOpen(scan, info.context.epoch, logCursor, signal);
  return {
    groupId: info.context.groupId,
    state: "PREPARED",
    invite: encodeInvitePayload(payload),
    epoch: info.context.epoch,
    logCursor: scan.cursor,
    message,
    messageHash: messageHash(context, message),
    rows: encodeRows(group.snapshot()),
    welcome,
    recipients: encodeRecipients(keyPackages),
    commitId: undefined,
    commitCreatedNs: undefined,
    startedAtNs: context.clock.nowNs(),
    identityId: devices.sequenceId,
    staleAtNs: policy.expireInNs === 0n ? 0n : candidate.expiresAtNs,
  };
}
