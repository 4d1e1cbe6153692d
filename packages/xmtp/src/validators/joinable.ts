import {
  EXTENSION_TYPE,
  PROPOSAL_TYPE,
  constantTimeEqual,
  decodeRequiredCapabilities,
  equalBytes,
  findExtension,
  type AppData,
  type GroupContext,
} from "@latchkey/mls";
import { COMPONENT } from "../app-data/component.ts";
import { readGroupState, type GroupState } from "../app-data/group-state.ts";
import { compareVersions } from "../app-data/semver.ts";
import { leafInboxId } from "../credential.ts";
import { JoinError, type JoinErrorCode } from "../errors.ts";
import { checkBlobExpiry, type GroupInfoBlob } from "../invite/blob.ts";
import { checkConsistency } from "../invite/candidates.ts";
import type { InvitePayload } from "../invite/payload.ts";
import { countUses } from "../invite/policy.ts";
import { installationCapabilities } from "../key-package.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { ConversationType, type ExternalCommitPolicyV1 } from "../proto.ts";
import { XMTP_CIPHER_SUITE, XMTP_PROTOCOL_VERSION } from "../protocol.ts";
import type { TreeMember } from "./common.ts";

/** The part of a verified GroupInfo that is looked at. */
export interface JoinableGroup {
  readonly context: GroupContext;
  readonly contextBytes: Uint8Array;
  readonly appData: AppData;
  members(): Iterable<TreeMember>;
}

/** Input of the checks of a joiner, before it sends anything. */
export interface JoinableInput {
  readonly info: JoinableGroup;
  readonly payload: InvitePayload;
  /** The opened blob that the GroupInfo came from. */
  readonly blob: GroupInfoBlob;
  /** The joiner's own inbox. */
  readonly inboxId: string;
  readonly nowNs: bigint;
  /** When the epoch began, where that is known; otherwise the blob's own end has to do. */
  readonly epochStartNs?: bigint;
}

function refuse(code: JoinErrorCode, rule: string, message: string): never {
  throw new JoinError(code, message, { rule });
}

function checkForm({ context, appData }: JoinableGroup): GroupState {
  const unsupported = (rule: string, message: string) => refuse("GROUP_UNSUPPORTED", rule, message);
  if (context.epoch > XMTP_LIMITS.maxEpoch) unsupported("EpochOutOfRange", "the group's epoch is 2^62 or more");
  if (context.cipherSuite !== XMTP_CIPHER_SUITE)
    unsupported("CipherSuite", "the group uses another cipher suite than 3");
  const state = readGroupState(appData);
  if (!appData.has(COMPONENT.groupMembership)) unsupported("GroupNotMigrated", "the group has no membership component");
  if (state.conversationType !== ConversationType.GROUP) {
    unsupported("ConversationType", "only groups can be joined by invite, not direct messages");
  }
  if (state.minVersion !== undefined && compareVersions(state.minVersion, XMTP_PROTOCOL_VERSION) > 0) {
    unsupported(
      "ProtocolVersionTooLow",
      `the group requires protocol version ${state.minVersion}; update this program`,
    );
  }
  return state;
}

function checkCapabilities(info: JoinableGroup): void {
  const data = findExtension(info.context.extensions, EXTENSION_TYPE.requiredCapabilities);
  if (data !== undefined) {
    const { extensionTypes, proposalTypes } = decodeRequiredCapabilities(data);
    // RFC 9420 §7.2: extension types 1 to 5 and proposal types 1 to 7 are supported by everybody and not listed.
    const missing =
      extensionTypes.some((type) => type > 5 && !installationCapabilities.extensions.includes(type)) ||
      proposalTypes.some((type) => type > 7 && !installationCapabilities.proposals.includes(type));
    if (missing)
      refuse("GROUP_UNSUPPORTED", "RequiredCapabilities", "the group requires what this build does not carry");
  }
  const inTheWay = new Set<string>();
  for (const { leafNode } of info.members()) {
    const { extensions, proposals } = leafNode.capabilities;
    if (!extensions.includes(EXTENSION_TYPE.appDataDictionary) || !proposals.includes(PROPOSAL_TYPE.app_data_update)) {
      inTheWay.add((leafInboxId(leafNode) ?? "").slice(0, 8));
    }
  }
  if (inTheWay.size === 0) return;
  const inboxes = [...inTheWay];
  const message = `the group cannot be joined because of members that an admin has to remove: ${inboxes.join(", ")}`;
  throw new JoinError("GROUP_UNSUPPORTED", message, { rule: "MemberCapabilities", data: { inboxes } });
}

function checkMembership({ info, inboxId }: JoinableInput, state: GroupState): void {
  let present = state.members.has(inboxId);
  for (const { leafNode } of info.members()) present ||= leafInboxId(leafNode) === inboxId;
  if (present) refuse("ALREADY_MEMBER", "ExternalCommitJoinerAlreadyMember", "this inbox is in the group already");
}

function checkPolicy(input: JoinableInput, state: GroupState): ExternalCommitPolicyV1 {
  const { policy } = state;
  const { payload, nowNs, epochStartNs } = input;
  if (policy?.allowExternalCommit !== true) {
    return refuse(
      "INVITE_DISABLED",
      "ExternalCommitNotAllowed",
      "the group does not accept joins by invite at present",
    );
  }
  if (!equalBytes(policy.externalGroupId, payload.externalGroupId)) {
    refuse("INVITE_ROTATED", "ExternalGroupIdMismatch", "the invite was replaced by a new one");
  }
  const key = policy.symmetricKey?.material;
  if (key === undefined || !constantTimeEqual(key, payload.symmetricKey)) {
    refuse("INVITE_ROTATED", "SymmetricKeyMismatch", "the invite's key was replaced; ask for the new link");
  }
  if (policy.expiresAtNs !== 0n && nowNs >= policy.expiresAtNs) {
    refuse("INVITE_EXPIRED", "ExternalCommitInviteExpired", "the invite has expired; ask for a new one");
  }
  if (policy.expireInNs !== 0n && epochStartNs !== undefined && nowNs - epochStartNs > policy.expireInNs) {
    refuse(
      "INVITE_STALE",
      "ExternalCommitInviteStale",
      "the group state behind the invite is too old; try again later",
    );
  }
  if (policy.maxUses !== 0 && countUses(state) >= policy.maxUses) {
    refuse("INVITE_EXHAUSTED", "ExternalCommitMaxUsesExhausted", "the invite has been used as often as it allows");
  }
  return policy;
}

/**
 * Everything a joiner can know before it sends anything (REV-05, REV-06): the blob is of this GroupInfo and not expired,
 * the group is of a form that can be joined, the joiner is not in it, and its policy lets this very invite in. Returns
 * the group's state and the policy. Throws JoinError with the code for the reason, DecodeError for malformed app data.
 */
export function checkJoinable(input: JoinableInput): { state: GroupState; policy: ExternalCommitPolicyV1 } {
  const { info, blob, nowNs } = input;
  checkConsistency(blob, { epoch: info.context.epoch, bytes: info.contextBytes });
  const state = checkForm(info);
  checkMembership(input, state);
  const policy = checkPolicy(input, state);
  checkBlobExpiry(blob, nowNs);
  checkCapabilities(info);
  return { state, policy };
}
