import { equalBytes, LatchkeyError, toHex, verifyGroupInfo } from "@latchkey/mls";
import {
  decodeInvitePayload,
  effectiveExpiryNs,
  encodeGroupInfoHints,
  groupStateHash,
  readServicePointer,
  selectCandidates,
  wrapGroupInfo,
  type ExternalCommitPolicyV1,
  type InvitePayload,
} from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { GroupCore } from "../group/group-core.ts";
import { distinctServices, ownService, resolveService, type ReachableService } from "./service.ts";
import type { Slot, SlotService } from "./slots.ts";

/** A blob of the present epoch with the key's slot. */
export interface CurrentBlob {
  readonly blob: Uint8Array;
  readonly externalGroupId: Uint8Array;
  readonly groupStateHash: Uint8Array;
  readonly expiresAtNs: bigint;
}

/** The policy while it lets people in; undefined when it is off. */
export function activePolicy(core: GroupCore): ExternalCommitPolicyV1 | undefined {
  const { policy } = core.state;
  return policy?.allowExternalCommit === true ? policy : undefined;
}

/**
 * Wraps the present epoch's GroupInfo for the active invite; `expiresAtNs` can only bring its end forward. The epoch
 * counts from the envelope time of the commit that began it (REV-03), not from any local clock.
 */
export async function currentBlob(
  core: GroupCore,
  policy: ExternalCommitPolicyV1,
  expiresAtNs = 0n,
): Promise<CurrentBlob> {
  const { mls } = core;
  const suite = core.context.crypto.suite(mls.cipherSuite);
  const digest = groupStateHash(suite, mls.contextBytes);
  const byPolicy = effectiveExpiryNs(policy, core.record.epochEnteredAtNs);
  const end = byPolicy === 0n || (expiresAtNs !== 0n && expiresAtNs < byPolicy) ? expiresAtNs : byPolicy;
  const blob = wrapGroupInfo({
    suite,
    key: policy.symmetricKey?.material ?? new Uint8Array(0),
    groupInfo: await mls.exportGroupInfo({ extensions: encodeGroupInfoHints({ logCursor: core.record.cursor }) }),
    epoch: mls.epoch,
    groupStateHash: digest,
    expiresAtNs: end,
  });
  return { blob, externalGroupId: policy.externalGroupId, groupStateHash: digest, expiresAtNs: end };
}

/** Whether a slot serves this very state: a blob that opens, and a GroupInfo that a joiner can use. */
async function servesGenuine(
  core: GroupCore,
  slots: SlotService,
  slot: Slot,
  policy: ExternalCommitPolicyV1,
  current: CurrentBlob,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { crypto, clock } = core.context;
  const suite = crypto.suite(core.mls.cipherSuite);
  const { blobs = [] } = await slots.fetch(slot, { signal }).catch((error: unknown) => {
    if (codeOf(error) === "INVITE_UNKNOWN_SLOT") return { blobs: [] };
    throw error;
  });
  const key = policy.symmetricKey?.material ?? new Uint8Array(0);
  for (const candidate of selectCandidates({ suite, blobs, key, nowNs: clock.nowNs() }).candidates) {
    if (candidate.epoch !== core.mls.epoch || !equalBytes(candidate.groupStateHash, current.groupStateHash)) continue;
    try {
      await verifyGroupInfo({ crypto }, candidate.groupInfo);
      return true;
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
    }
  }
  return false;
}

/**
 * The services that hold the active invite: the one that was scanned, those of the policy, the client's own; and why
 * others cannot be found.
 */
async function servicesOf(core: GroupCore, policy: ExternalCommitPolicyV1, scanned: InvitePayload | undefined) {
  const { context } = core;
  const pointers = [scanned?.servicePointer, ...policy.refreshPointers.map(readServicePointer)];
  const found = await Promise.allSettled(
    pointers.filter((pointer) => pointer !== undefined).map((pointer) => resolveService(context, pointer)),
  );
  const services = found.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const failures = found.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  return { services: distinctServices([...services, ...ownService(context)]), failures };
}

/**
 * Uploads a fresh blob to every slot of the active invite, inside of `exclusive`; nothing when there is none, or when
 * its end has come. With `scanned`, the invite that was joined by, also nothing unless slot id and key are still those
 * of the policy (REV-06): a joiner must not serve an invite that the admin has replaced.
 *
 * @throws the first failure, after every slot was tried.
 */
export async function uploadBlob(
  core: GroupCore,
  options: {
    readonly scanned?: Uint8Array | undefined;
    /**
     * Not where the slot has a blob already that claims this very state (`present`, one question), or that opens and
     * verifies (`genuine`, a download).
     */
    readonly unless?: "present" | "genuine";
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { signal } = options;
  const policy = core.active ? activePolicy(core) : undefined;
  if (policy === undefined) return;
  const scanned = options.scanned === undefined ? undefined : decodeInvitePayload(options.scanned);
  if (scanned !== undefined) {
    const sameKey = equalBytes(scanned.symmetricKey, policy.symmetricKey?.material ?? new Uint8Array(0));
    if (!sameKey || !equalBytes(scanned.externalGroupId, policy.externalGroupId)) return;
  }
  const end = effectiveExpiryNs(policy, core.record.epochEnteredAtNs);
  if (end !== 0n && end <= core.context.clock.nowNs()) return;
  const current = await currentBlob(core, policy);
  const { services, failures } = await servicesOf(core, policy, scanned);
  for (const service of services) {
    if (isAborted(signal)) break;
    try {
      await uploadTo(core, service, policy, current, options);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function uploadTo(
  core: GroupCore,
  { url, slots }: ReachableService,
  policy: ExternalCommitPolicyV1,
  current: CurrentBlob,
  options: { readonly unless?: "present" | "genuine"; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const slot = { serviceUrl: url, externalGroupId: current.externalGroupId };
  const { unless, signal } = options;
  const state = toHex(current.groupStateHash);
  // What is repeated because another service failed must not fill this one with wrappings of the same state.
  if (unless === undefined && core.uploadedStates.get(url) === state) return;
  if (unless === "present" && (await slots.exists(slot, core.mls.epoch, current.groupStateHash, signal))) return;
  if (unless === "genuine" && (await servesGenuine(core, slots, slot, policy, current, signal))) return;
  await slots.upload(slot, current.blob, signal);
  core.uploadedStates.set(url, state);
}
