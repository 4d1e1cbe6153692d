import { equalBytes, LatchkeyError, toHex, verifyGroupInfo, type Extension } from "@latchkey/mls";
import {
  decodeInvitePayload,
  effectiveExpiryNs,
  encodeGroupInfoHints,
  groupStateHash,
  padGroupInfo,
  readServicePointer,
  selectCandidates,
  serviceOrigin,
  wrapGroupInfo,
  type ExternalCommitPolicyV1,
  type InvitePayload,
  type ServicePointer,
} from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { clientError, codeOf, unlessRefused } from "../errors.ts";
import { activePolicy } from "../group/active-policy.ts";
import type { GroupCore } from "../group/group-core.ts";
import { syncLocked } from "../group/sync.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { distinctServices, resolveService, type ReachableService } from "./service.ts";
import { slotCredentials, type SlotCredentialsAt } from "../group/slot-credentials.ts";
import type { Slot, SlotService } from "../transport/slot-service.ts";

/** What the slots of the active invite ought to serve. */
interface PresentState {
  readonly policy: ExternalCommitPolicyV1;
  readonly epoch: bigint;
  readonly groupStateHash: Uint8Array;
  /** Of this state, whatever becomes of the group meanwhile: a slot must not be led back to an earlier key. */
  readonly credentials: SlotCredentialsAt;
  /** A blob whose signer has not read the log up to here lets nobody in, see `GroupRecord`. */
  readonly contestedId: bigint;
}

/** A blob of the present state, and how far its signer has read the log. */
interface MadeBlob {
  readonly blob: Uint8Array;
  readonly logCursor: bigint;
}

function presentHash({ mls, context }: GroupCore): Uint8Array {
  return groupStateHash(context.crypto.suite(mls.cipherSuite), mls.contextBytes);
}

/** When a blob of the present epoch ends, which counts from the envelope time of the commit that began it (REV-03). */
function endOf(core: GroupCore, policy: ExternalCommitPolicyV1): bigint {
  return effectiveExpiryNs(policy, core.record.epochEnteredAtNs);
}

/**
 * Wraps the present epoch's GroupInfo under the key of that very epoch's policy, inside of `exclusive`; `expiresAtNs` can
 * only bring its end forward. No other policy can be given: a key of another epoch may be known to a removed member.
 * Throws INVITE_DISABLED when the policy is off.
 */
export async function currentBlob(core: GroupCore, expiresAtNs = 0n): Promise<Uint8Array> {
  const { mls } = core;
  const policy = activePolicy(core);
  if (policy === undefined) throw clientError("INVITE_DISABLED", "the group has no invite; create one first");
  const byPolicy = endOf(core, policy);
  const end = byPolicy === 0n || (expiresAtNs !== 0n && expiresAtNs < byPolicy) ? expiresAtNs : byPolicy;
  const hints = encodeGroupInfoHints({ logCursor: core.record.cursor });
  const makeGroupInfo = (padding: readonly Extension[]) => mls.exportGroupInfo({ extensions: [...hints, ...padding] });
  return wrapGroupInfo({
    suite: core.context.crypto.suite(mls.cipherSuite),
    key: policy.symmetricKey?.material ?? new Uint8Array(0),
    groupInfo: await (core.context.padBlobs === true ? padGroupInfo(makeGroupInfo) : makeGroupInfo([])),
    epoch: mls.epoch,
    groupStateHash: presentHash(core),
    expiresAtNs: end,
  });
}

/** Whether a slot serves this very state: a blob that opens, and a GroupInfo that verifies and that a joiner can use. */
async function servesGenuine(
  core: GroupCore,
  slots: SlotService,
  slot: Slot,
  { policy, epoch, groupStateHash, contestedId }: PresentState,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { crypto, time } = core.context;
  const suite = crypto.suite(core.mls.cipherSuite);
  const { blobs = [] } = await slots.fetch(slot, { signal }).catch((error: unknown) => {
    if (codeOf(error) === "INVITE_UNKNOWN_SLOT") return { blobs: [] };
    throw error;
  });
  const key = policy.symmetricKey?.material ?? new Uint8Array(0);
  for (const candidate of selectCandidates({ suite, blobs, key, nowNs: time.bestNs() }).candidates) {
    if (candidate.epoch !== epoch || !equalBytes(candidate.groupStateHash, groupStateHash)) continue;
    if (candidate.logCursor < contestedId) continue;
    if ((await unlessRefused(verifyGroupInfo({ crypto }, candidate.groupInfo))) !== undefined) return true;
  }
  return false;
}

/** A service that an invite names, and the origin that stands in the pointer: its credential is bound to that. */
interface NamedService extends ReachableService {
  readonly origin: string;
}

/**
 * The services that hold the active invite: the one that was scanned and those of the policy; and why others cannot be
 * found. A service that neither names gets nothing, the client's own included.
 */
export async function servicesOf(
  core: GroupCore,
  policy: ExternalCommitPolicyV1,
  scanned: InvitePayload | undefined,
  signal: AbortSignal | undefined,
) {
  const find = async (pointer: ServicePointer): Promise<NamedService> => {
    return { ...(await resolveService(core.context, pointer, signal)), origin: serviceOrigin(pointer) };
  };
  const pointers = [scanned?.servicePointer, ...policy.refreshPointers.map(readServicePointer)];
  const found = await Promise.allSettled(pointers.filter((pointer) => pointer !== undefined).map(find));
  const services = found.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const failures = found.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  return { services: distinctServices(services), failures };
}

/** The state that the invite's slots ought to serve; with `scanned` only while it is that of the policy still (REV-06). */
function stateToServe(core: GroupCore, scanned: InvitePayload | undefined): PresentState | undefined {
  const policy = core.mayWrite ? activePolicy(core) : undefined;
  if (policy === undefined) return undefined;
  if (scanned !== undefined) {
    const sameKey = equalBytes(scanned.symmetricKey, policy.symmetricKey?.material ?? new Uint8Array(0));
    if (!sameKey || !equalBytes(scanned.externalGroupId, policy.externalGroupId)) return undefined;
  }
  const end = endOf(core, policy);
  if (end !== 0n && end <= core.context.time.bestNs()) return undefined;
  const credentials = slotCredentials(core.context, core.groupId, core.mls, policy);
  const { contestedId } = core.record;
  return { policy, epoch: core.mls.epoch, groupStateHash: presentHash(core), credentials, contestedId };
}

/** Whether the group has an invite that slots ought to serve now. */
export function hasStateToServe(core: GroupCore): boolean {
  return stateToServe(core, undefined) !== undefined;
}

/** How slots are brought up to date. */
export interface UploadOptions {
  /** The invite that was joined by: nothing is uploaded when the admin has replaced it since. */
  readonly scanned?: Uint8Array | undefined;
  /**
   * Not where the slot has a blob already that claims this very state (`present`, one question), or that opens, verifies
   * and was made behind every commit of the epoch that was refused (`genuine`, a download). Where there is such a commit
   * `present` means `genuine`: a claim does not say what its signer has read.
   */
  readonly unless?: "present" | "genuine";
  readonly signal?: AbortSignal | undefined;
}

/**
 * Uploads a fresh blob to every slot of the active invite; nothing when there is none, or when its end has come. Takes
 * the group's turn for making the blob only: whatever the services do, nobody else has to wait for them.
 *
 * @throws the first failure, after every slot was tried, which the invite shows until the slots are in order.
 */
export async function uploadBlob(core: GroupCore, options: UploadOptions): Promise<void> {
  const scanned = options.scanned === undefined ? undefined : decodeInvitePayload(options.scanned);
  for (let round = 1; ; round++) {
    const state = stateToServe(core, scanned);
    if (state === undefined) return;
    const failures = await uploadState(core, state, scanned, options);
    const wasClosed = failures.some((error) => codeOf(error) === "INVITE_SLOT_CLOSED");
    const mayRepeat = wasClosed && round < CLIENT_LIMITS.maxUploadRounds && !isAborted(options.signal);
    if (mayRepeat && (await hasMovedOn(core, state, options.signal))) continue;
    const [failure] = failures;
    if (!isAborted(options.signal)) core.uploadFailure = failure instanceof LatchkeyError ? failure : undefined;
    if (failures.length > 0) throw failure;
    if (!isAborted(options.signal)) core.reopening.answeredId = state.contestedId;
    return;
  }
}

/** Whether somebody made another epoch meanwhile: a slot that is closed to this one's key may have been given the next. */
async function hasMovedOn(core: GroupCore, { groupStateHash }: PresentState, signal: AbortSignal | undefined) {
  try {
    await core.exclusive(() => syncLocked(core, signal), signal);
  } catch (error) {
    if (isAborted(signal) || !(error instanceof LatchkeyError)) throw error;
  }
  return !equalBytes(presentHash(core), groupStateHash);
}

/** Tries every slot; returns what went wrong. */
async function uploadState(
  core: GroupCore,
  state: PresentState,
  scanned: InvitePayload | undefined,
  options: UploadOptions,
): Promise<unknown[]> {
  const { services, failures } = await servicesOf(core, state.policy, scanned, options.signal);
  let made: Promise<MadeBlob | undefined> | undefined;
  const makeBlob = () => (made ??= core.exclusive(() => blobOfState(core, state), options.signal));
  for (const service of services) {
    if (isAborted(options.signal)) break;
    try {
      await uploadTo(core, service, state, makeBlob, options);
    } catch (error) {
      failures.push(error);
    }
  }
  return failures;
}

/** Undefined when the group has moved on: whoever did that uploads the next blob. */
async function blobOfState(core: GroupCore, state: PresentState): Promise<MadeBlob | undefined> {
  if (!core.mayWrite || !equalBytes(presentHash(core), state.groupStateHash)) return undefined;
  return { blob: await currentBlob(core), logCursor: core.record.cursor };
}

async function uploadTo(
  core: GroupCore,
  { url, slots, origin }: NamedService,
  state: PresentState,
  makeBlob: () => Promise<MadeBlob | undefined>,
  { unless, signal }: UploadOptions,
): Promise<void> {
  const { contestedId } = state;
  const { externalGroupId } = state.policy;
  const slot = { serviceUrl: url, externalGroupId, credentials: state.credentials?.(origin) };
  const name = toHex(state.groupStateHash);
  // What is repeated because another service failed must not fill this one with wrappings of the same state.
  const uploaded = core.uploads.get(url);
  if (unless === undefined && uploaded?.state === name && uploaded.logCursor >= contestedId) return;
  const asksOnly = unless === "present" && contestedId === 0n;
  if (asksOnly && (await slots.exists(slot, state.epoch, state.groupStateHash, signal))) return;
  if (unless !== undefined && !asksOnly && (await servesGenuine(core, slots, slot, state, signal))) return;
  const made = await makeBlob();
  if (made === undefined) return;
  const servedUntilNs = await slots.upload(slot, made.blob, signal);
  core.uploads.set(url, { state: name, logCursor: made.logCursor, servedUntilNs });
}
