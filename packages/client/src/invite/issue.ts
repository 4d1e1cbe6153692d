import {
  changePolicy,
  COMPONENT,
  decodeMlsCredential,
  enablePolicy,
  encodeInvitePayload,
  FOLLOWS_EXTERNAL_COMMITS,
  followsExternalCommits,
  policyFromTemplate,
  policyTemplate,
  policyUpdate,
  registerExternalCommitPolicy,
  revokePolicy,
  readServicePointer,
  type ExternalCommitPolicyV1,
  type InvitePayload,
  type ServicePointer,
} from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { clientError } from "../errors.ts";
import { planCommit } from "../group/plan-commit.ts";
import { commitChange } from "../group/commit.ts";
import { runFollowUps } from "../group/follow-ups.ts";
import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/sync.ts";
import { newInvite, type Invite } from "./invite.ts";
import { learnLinkBase } from "./link-base.ts";
import { currentBlob, uploadBlob } from "./upload.ts";
import { activePolicy } from "../group/active-policy.ts";
import { renewedPolicy } from "../group/renewal-journal.ts";
import { ownService, samePointer, servicePointer } from "./service.ts";

/** What an invite allows. */
export interface InviteOptions {
  /** The invite ends at this time; default: never. */
  readonly expiresAtNs?: bigint;
  /** A blob is good for this long after its epoch began; default: for ever. */
  readonly staleAfterNs?: bigint;
  /** Members that may be in the group through this invite at a time; default: any number. */
  readonly maxUses?: number;
  /** The services that every committer refreshes, by address or pointer; default: the invite's own. */
  readonly refreshPointers?: readonly (string | ServicePointer)[];
  /** The invite service, by address or, for services that the application finds, by pointer; default: the client's. */
  readonly service?: string | ServicePointer;
  /** Make the invite although a member's program cannot follow joins by invite; default: refuse. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

function pointerTo(service: string | ServicePointer): ServicePointer {
  return typeof service === "string" ? servicePointer(service) : service;
}

function inviteService(core: GroupCore, chosen: string | ServicePointer | undefined): ServicePointer {
  const service = chosen ?? core.context.inviteServiceUrl;
  if (service !== undefined) return pointerTo(service);
  throw clientError("INVITE_MALFORMED", "an invite needs the address of a service; set `inviteServiceUrl`");
}

function requireSuperAdmin(core: GroupCore): void {
  if (core.state.superAdmins.has(core.context.own.inboxId)) return;
  throw clientError("NOT_PERMITTED", "only a super admin of the group can change its invite");
}

/** Commits a policy made from the one in force, registering the component first where a migration left it out. */
async function commitPolicy(
  core: GroupCore,
  make: (current: ExternalCommitPolicyV1 | undefined) => ExternalCommitPolicyV1,
  signal: AbortSignal | undefined,
): Promise<void> {
  const register = async () => {
    requireSuperAdmin(core);
    if (core.state.registry.has(COMPONENT.externalCommitPolicy)) return undefined;
    return planCommit(core, [{ componentId: COMPONENT.componentRegistry, update: registerExternalCommitPolicy() }]);
  };
  const change = async () => {
    requireSuperAdmin(core);
    const update = policyUpdate(make(core.state.policy));
    return planCommit(core, [{ componentId: COMPONENT.externalCommitPolicy, update }]);
  };
  await commitChange(core, register, signal);
  await commitChange(core, change, signal);
}

function payloadOf(policy: ExternalCommitPolicyV1, pointer: ServicePointer | undefined): InvitePayload {
  return {
    servicePointer: pointer,
    externalGroupId: policy.externalGroupId,
    symmetricKey: policy.symmetricKey?.material ?? new Uint8Array(0),
  };
}

/**
 * The active invite with the given service; else with the client's own where committers keep it fresh, or with the first
 * that they do. Undefined while there is none.
 */
export function activeInvite(core: GroupCore, service?: ServicePointer): Invite | undefined {
  const policy = activePolicy(core);
  if (policy === undefined) return undefined;
  const refreshed = policy.refreshPointers.map(readServicePointer);
  const own = ownService(core.context).map(({ url }) => servicePointer(url))[0];
  const known = own !== undefined && refreshed.some((pointer) => samePointer(pointer, own)) ? own : refreshed[0];
  const pointer = service ?? known ?? own;
  const invite = newInvite(core.context, payloadOf(policy, pointer), policy, core.record.epochEnteredAtNs);
  const { servedUntilNs } = core.uploads.get(invite.serviceUrl ?? "") ?? {};
  return { ...invite, servedUntilNs, uploadFailure: core.uploadFailure, behind: inboxesBehind(core) };
}

/**
 * The invite after its policy was committed, with its blob in the slot, or with the reason why not: the commit is done and
 * stays, and what it has queued is tried again. When another admin has replaced the invite meanwhile it is that one.
 */
async function issued(core: GroupCore, service: ServicePointer | undefined, signal?: AbortSignal): Promise<Invite> {
  const inForce = () => {
    const invite = activeInvite(core, service);
    if (invite === undefined) throw clientError("INVITE_DISABLED", "another admin switched invites off meanwhile");
    return invite;
  };
  try {
    await uploadBlob(core, { scanned: inForce().payload, unless: "present", signal });
  } catch (error) {
    if (isAborted(signal) || error !== core.uploadFailure) throw error;
  }
  await learnLinkBase(core.context, inForce().serviceUrl, signal);
  return inForce();
}

/**
 * Members whose programs cannot follow joins by invite. Released XMTP clients refuse every external commit: after the first
 * join such a member stays in an epoch of its own and reads nothing more. Whoever came in by a join follows joins.
 */
function inboxesBehind(core: GroupCore): string[] {
  if (core.mls.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS)) return [];
  const { members } = core.state;
  const behind = new Set<string>();
  for (const { leafNode } of core.mls.members()) {
    const inboxId = decodeMlsCredential(leafNode.credential);
    const wasAdded = members.get(inboxId)?.admittedViaExternalGroupId.length === 0;
    if (wasAdded && !followsExternalCommits(leafNode)) behind.add(inboxId);
  }
  return [...behind];
}

function requireFollowers(core: GroupCore): void {
  const behind = inboxesBehind(core).map((inboxId) => inboxId.slice(0, 8));
  if (behind.length === 0) return;
  throw clientError(
    "INVITE_LEAVES_BEHIND",
    `${behind.length} of the members use a program that cannot follow joins by invite; have them update it first`,
    { data: { inboxes: behind } },
  );
}

/**
 * Lets people in by invite: turns external commits on with a fresh key and a fresh slot, replacing an earlier invite,
 * and puts the first blob into the slot. An upload that fails does not fail the call, because the invite is in force:
 * `uploadFailure` of the invite says so, and it is tried again with the next sync.
 *
 * @throws NOT_PERMITTED unless this inbox is a super admin; INVITE_LEAVES_BEHIND when a member's program cannot follow,
 * unless forced.
 */
export async function createInvite(core: GroupCore, options: InviteOptions = {}): Promise<Invite> {
  const { expiresAtNs, staleAfterNs, maxUses, signal } = options;
  const service = inviteService(core, options.service);
  const settings = {
    ...(expiresAtNs === undefined ? {} : { expiresAtNs }),
    ...(staleAfterNs === undefined ? {} : { expireInNs: staleAfterNs }),
    ...(maxUses === undefined ? {} : { maxUses }),
    refreshPointers: (options.refreshPointers ?? [service]).map(pointerTo),
  };
  if (options.force !== true) {
    await core.exclusive(() => syncLocked(core, signal), signal);
    requireFollowers(core);
  }
  await commitPolicy(core, () => enablePolicy(core.context.crypto, settings), signal);
  return issued(core, service, signal);
}

/** How an invite is replaced. */
export interface RotateOptions {
  /** A fresh slot as well; default: false. */
  readonly slot?: boolean;
  readonly signal?: AbortSignal;
}

/** How slots are brought up to date. */
export interface RefreshOptions {
  /** Downloads and verifies what the slots hold; default: false. */
  readonly deep?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Replaces the invite's key, so that links given out before open nothing any more; with `slot` also its slot, which
 * starts the count of uses anew. For uploads that fail see `createInvite`.
 *
 * @throws NOT_PERMITTED, INVITE_DISABLED when there is no invite.
 */
export async function rotateInvite(core: GroupCore, options: RotateOptions = {}): Promise<Invite> {
  const rotate = (current: ExternalCommitPolicyV1 | undefined) => {
    if (current?.allowExternalCommit === true) {
      return policyFromTemplate(core.context.crypto, policyTemplate(current, options.slot === true ? "slot" : "key"));
    }
    // Right behind a removal: this call finishes the renewal that it began.
    const renewed = renewedPolicy(core);
    if (renewed === undefined) throw clientError("INVITE_DISABLED", "the group has no invite to rotate");
    return renewed;
  };
  await commitPolicy(core, rotate, options.signal);
  return issued(core, undefined, options.signal);
}

/** What can be changed of an invite in force; what is left out stays, and 0 takes a limit away. */
export type InviteChanges = Pick<
  InviteOptions,
  "expiresAtNs" | "staleAfterNs" | "maxUses" | "refreshPointers" | "signal"
>;

/**
 * Changes what the active invite allows; links given out before go on working, under the new limits.
 *
 * @throws NOT_PERMITTED, INVITE_DISABLED when there is no invite.
 */
export async function changeInvite(core: GroupCore, changes: InviteChanges): Promise<Invite> {
  const { expiresAtNs, staleAfterNs, maxUses, refreshPointers, signal } = changes;
  const settings = {
    ...(expiresAtNs === undefined ? {} : { expiresAtNs }),
    ...(staleAfterNs === undefined ? {} : { expireInNs: staleAfterNs }),
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(refreshPointers === undefined ? {} : { refreshPointers: refreshPointers.map(pointerTo) }),
  };
  const change = (current: ExternalCommitPolicyV1 | undefined) => {
    if (current?.allowExternalCommit !== true)
      throw clientError("INVITE_DISABLED", "the group has no invite to change");
    return changePolicy(current, settings);
  };
  await commitPolicy(core, change, signal);
  return issued(core, undefined, signal);
}

/** Turns joining by invite off; no link works from then on. Throws NOT_PERMITTED. */
export async function revokeInvite(core: GroupCore, signal?: AbortSignal): Promise<void> {
  await commitPolicy(core, revokePolicy, signal);
}

/**
 * Makes sure that every slot of the active invite holds the present epoch's blob; uploads only where it is missing.
 * With `deep` what is there is downloaded and verified: for when somebody reports that the invite does not work. Throws INVITE_DISABLED when there is no invite; errors of the network.
 */
export async function refreshInvite(core: GroupCore, options: RefreshOptions = {}): Promise<void> {
  const { signal } = options;
  await core.exclusive(async () => {
    await syncLocked(core, signal);
    core.requireActive();
    if (activePolicy(core) === undefined) throw clientError("INVITE_DISABLED", "the group has no invite to refresh");
  }, signal);
  await uploadBlob(core, { unless: options.deep === true ? "genuine" : "present", signal });
  await runFollowUps(core, signal);
}

/** How an invite is handed out as bytes. */
export interface ExternalInviteOptions {
  /** The service that the payload names; default: none. */
  readonly servicePointer?: ServicePointer;
  /** Brings the end of the blob forward; never behind that of the invite. */
  readonly blobExpiresAtNs?: bigint;
  readonly signal?: AbortSignal;
}

/** An invite and its first blob as bytes, for applications that carry both themselves. */
export interface ExternalInvite {
  /** Serialized ExternalInvitePayload; secret. */
  readonly payload: Uint8Array;
  /** Serialized EncryptedGroupInfoBlob. */
  readonly blob: Uint8Array;
}

/**
 * The active invite as payload and blob; uploads nothing and changes nothing. `blobExpiresAtNs` can only bring the
 * blob's end forward. Throws INVITE_DISABLED when there is no invite.
 */
export async function createExternalInvite(
  core: GroupCore,
  options: ExternalInviteOptions = {},
): Promise<ExternalInvite> {
  return core.exclusive(async () => {
    core.requireActive();
    const policy = activePolicy(core);
    if (policy === undefined) throw clientError("INVITE_DISABLED", "the group has no invite; create one first");
    const blob = await currentBlob(core, options.blobExpiresAtNs);
    return { payload: encodeInvitePayload(payloadOf(policy, options.servicePointer)), blob };
  }, options.signal);
}
