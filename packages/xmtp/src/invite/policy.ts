import { create, toBinary } from "@bufbuild/protobuf";
import { equalBytes, type CryptoProvider } from "@latchkey/mls";
import type { GroupState } from "../app-data/group-state.ts";
import { CommitRejectedError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { isExternalGroupId } from "./external-group-id.ts";
import { saturatedNs } from "../numbers.ts";
import { decodeProto } from "../protobuf.ts";
import {
  ExternalCommitPolicyEntrySchema,
  ExternalCommitPolicyV1Schema,
  type ExternalCommitPolicyV1,
} from "../proto.ts";
import { readServicePointer, servicePointerInit, type ServicePointer } from "./service-pointer.ts";

/** What an admin chooses for an invite; everything is optional. */
export interface PolicySettings {
  /** End of the invite; 0 or absent: none. */
  readonly expiresAtNs?: bigint;
  /** Longest age of the epoch that is joined; 0 or absent: any. */
  readonly expireInNs?: bigint;
  /** Members admitted at the same time through this invite; 0 or absent: any number. */
  readonly maxUses?: number;
  /** Slots to which every committer uploads the next GroupInfo. */
  readonly refreshPointers?: readonly ServicePointer[];
}

const EXTERNAL_GROUP_ID_BYTES = 16;

/** Payload of an AppDataUpdate of EXTERNAL_COMMIT_POLICY; validates first, see `validatePolicyV1`. */
export function policyUpdate(policy: ExternalCommitPolicyV1): Uint8Array {
  validatePolicyV1(policy);
  const entry = create(ExternalCommitPolicyEntrySchema, { version: { case: "v1", value: policy } });
  return toBinary(ExternalCommitPolicyEntrySchema, entry);
}

/** Turns external commits on with a fresh key and a fresh slot id: a new invite, with a new budget of uses. */
export function enablePolicy(crypto: Pick<CryptoProvider, "randomBytes">, settings: PolicySettings = {}) {
  const template = create(ExternalCommitPolicyV1Schema, {
    expiresAtNs: settings.expiresAtNs ?? 0n,
    expireInNs: settings.expireInNs ?? 0n,
    maxUses: settings.maxUses ?? 0,
    refreshPointers: (settings.refreshPointers ?? []).map(servicePointerInit),
  });
  return policyFromTemplate(crypto, template);
}

/** What replacing an invite gives it: a fresh key, or a fresh slot as well, which starts the count of uses anew. */
export type InviteRotation = "key" | "slot";

/**
 * Settings that a new invite takes over from the one in force: limits and services, and for `key` its slot id. It holds
 * no key and is no policy: members would refuse it.
 */
export function policyTemplate(policy: ExternalCommitPolicyV1, rotation: InviteRotation): ExternalCommitPolicyV1 {
  const { expiresAtNs, expireInNs, externalGroupId, maxUses, refreshPointers } = policy;
  const settings = { expiresAtNs, expireInNs, maxUses, refreshPointers };
  return create(ExternalCommitPolicyV1Schema, rotation === "key" ? { ...settings, externalGroupId } : settings);
}

/** A policy that is on, with a fresh key and, unless the template names one, a fresh slot id of 16 bytes. */
export function policyFromTemplate(
  crypto: Pick<CryptoProvider, "randomBytes">,
  template: ExternalCommitPolicyV1,
): ExternalCommitPolicyV1 {
  const { expiresAtNs, expireInNs, externalGroupId, maxUses, refreshPointers } = template;
  const policy = create(ExternalCommitPolicyV1Schema, {
    allowExternalCommit: true,
    expiresAtNs,
    expireInNs,
    symmetricKey: { material: crypto.randomBytes(XMTP_LIMITS.inviteKeyBytes) },
    externalGroupId: externalGroupId.length > 0 ? externalGroupId : crypto.randomBytes(EXTERNAL_GROUP_ID_BYTES),
    maxUses,
    refreshPointers,
  });
  validatePolicyV1(policy);
  return policy;
}

/** Storage form of a template. */
export function encodePolicyTemplate(template: ExternalCommitPolicyV1): Uint8Array {
  return toBinary(ExternalCommitPolicyV1Schema, template);
}

/** Reads what `encodePolicyTemplate` wrote; throws DecodeError. */
export function decodePolicyTemplate(bytes: Uint8Array): ExternalCommitPolicyV1 {
  return decodeProto(ExternalCommitPolicyV1Schema, bytes);
}

/** Replaces the key and keeps the slot: old links open nothing that is uploaded afterwards; uses stay counted. */
export function rotatePolicyKey(
  crypto: Pick<CryptoProvider, "randomBytes">,
  policy: ExternalCommitPolicyV1,
): ExternalCommitPolicyV1 {
  validatePolicyV1(policy);
  if (!policy.allowExternalCommit)
    throw new CommitRejectedError("ExternalCommitNotAllowed", "there is no invite to rotate");
  return policyFromTemplate(crypto, policyTemplate(policy, "key"));
}

/**
 * Changes the limits of an invite, and nothing else: links given out stay as they are, and options left out keep their
 * value.
 */
export function changePolicy(policy: ExternalCommitPolicyV1, settings: PolicySettings): ExternalCommitPolicyV1 {
  if (!policy.allowExternalCommit)
    throw new CommitRejectedError("ExternalCommitNotAllowed", "there is no invite to change");
  const { symmetricKey, externalGroupId } = policy;
  const changed = create(ExternalCommitPolicyV1Schema, {
    allowExternalCommit: true,
    ...(symmetricKey && { symmetricKey }),
    externalGroupId,
    expiresAtNs: settings.expiresAtNs ?? policy.expiresAtNs,
    expireInNs: settings.expireInNs ?? policy.expireInNs,
    maxUses: settings.maxUses ?? policy.maxUses,
    refreshPointers: settings.refreshPointers?.map(servicePointerInit) ?? policy.refreshPointers,
  });
  validatePolicyV1(changed);
  return changed;
}

/** Turns external commits off: of the policy only `expireInNs` and `maxUses` stay, as defaults for the next invite. */
export function revokePolicy(policy: ExternalCommitPolicyV1 | undefined): ExternalCommitPolicyV1 {
  const { expireInNs, maxUses } = policy ?? { expireInNs: 0n, maxUses: 0 };
  return create(ExternalCommitPolicyV1Schema, { allowExternalCommit: false, expireInNs, maxUses });
}

function notCleared(field: string): never {
  throw new CommitRejectedError("PerInviteFieldNotCleared", `external commits are off and ${field} is still set`, {
    data: { field },
  });
}

function validateOff(policy: ExternalCommitPolicyV1): void {
  if (policy.symmetricKey !== undefined) notCleared("symmetric_key");
  if (policy.externalGroupId.length > 0) notCleared("external_group_id");
  if (policy.expiresAtNs !== 0n) notCleared("expires_at_ns");
  if (policy.refreshPointers.length > 0) notCleared("refresh_pointers");
}

/**
 * The rules of XIP-82 for a policy, as setters and receivers apply them. Throws CommitRejectedError
 * `MissingSymmetricKey`, `InvalidSymmetricKeyLength`, `InvalidExternalGroupIdLength`, `InvalidRefreshPointer`, or, while
 * the switch is off, `PerInviteFieldNotCleared` with `data.field`.
 */
export function validatePolicyV1(policy: ExternalCommitPolicyV1): void {
  if (!policy.allowExternalCommit) {
    validateOff(policy);
    return;
  }
  const refuse = (rule: string, message: string): never => {
    throw new CommitRejectedError(rule, message);
  };
  if (policy.symmetricKey === undefined) return refuse("MissingSymmetricKey", "the policy has no invite key");
  if (policy.symmetricKey.material.length !== XMTP_LIMITS.inviteKeyBytes) {
    refuse("InvalidSymmetricKeyLength", `an invite key has ${XMTP_LIMITS.inviteKeyBytes} bytes`);
  }
  if (!isExternalGroupId(policy.externalGroupId)) {
    refuse("InvalidExternalGroupIdLength", "an external_group_id has at least 4 bytes");
  }
  if (policy.refreshPointers.length > XMTP_LIMITS.maxRefreshPointers) {
    refuse("InvalidRefreshPointer", `a policy has at most ${XMTP_LIMITS.maxRefreshPointers} refresh pointers`);
  }
  for (const pointer of policy.refreshPointers) {
    try {
      readServicePointer(pointer);
    } catch (cause) {
      throw new CommitRejectedError("InvalidRefreshPointer", "a refresh pointer is empty or no https URL", { cause });
    }
  }
}

/**
 * When an invite for an epoch that began at `epochStartNs` ends: the earlier of the policy's end and the epoch's age
 * limit, below 2^63; 0 for never.
 */
export function effectiveExpiryNs(
  policy: Pick<ExternalCommitPolicyV1, "expiresAtNs" | "expireInNs">,
  epochStartNs: bigint,
): bigint {
  const { expiresAtNs, expireInNs } = policy;
  const end = saturatedNs(expiresAtNs);
  if (expireInNs === 0n) return end;
  const stale = saturatedNs(epochStartNs + expireInNs);
  return end !== 0n && end < stale ? end : stale;
}

/** Members that came through the policy's present slot: what `max_uses` is compared with. */
export function countUses(state: Pick<GroupState, "members" | "policy">): number {
  const id = state.policy?.externalGroupId;
  if (id === undefined || id.length === 0) return 0;
  let uses = 0;
  for (const { admittedViaExternalGroupId } of state.members.values()) {
    if (equalBytes(admittedViaExternalGroupId, id)) uses++;
  }
  return uses;
}
