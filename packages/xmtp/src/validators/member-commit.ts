import {
  DecodeError,
  decodeRequiredCapabilities,
  EXTENSION_TYPE,
  equalBytes,
  findExtension,
  type AppData,
  type Extension,
  type GroupContext,
  type LeafNode,
  type ResolvedProposal,
  type VerifiedCommit,
} from "@latchkey/mls";
import { appDataUpdatesOf } from "../app-data/apply.ts";
import type { GroupState } from "../app-data/group-state.ts";
import { changedInboxes } from "../app-data/membership.ts";
import type { Authority } from "../app-data/policy-rules.ts";
import { compareVersions } from "../app-data/semver.ts";
import { CommitRejectedError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { LEGACY_EXTENSION_TYPES, XMTP_PROTOCOL_VERSION } from "../protocol.ts";
import { checkCommitSize } from "./commit-size.ts";
import { checkComponentWrite, checkPolicyWrite, checkMinVersion } from "./app-data-writes.ts";
import { claimOf, readState, reject, resolve, type IdentityResolver, type Leaves } from "./common.ts";
import { checkInstallationChanges } from "./installation-changes.ts";
import { authorityOf, checkProposers, isMembershipSeen, proposerOf } from "./proposers.ts";
import { checkCapabilitiesKept, checkLeafSizes, checkStateSize } from "./state-bounds.ts";

/** Input of the verdict on a member's commit. */
export interface MemberCommitInput {
  readonly commit: VerifiedCommit;
  /** Before the commit. */
  readonly appData: AppData;
  /** After it. */
  readonly newAppData: AppData;
  /** Before the commit. */
  readonly leaves: Leaves;
  readonly identity: IdentityResolver;
  /** Time the node gave the commit. */
  readonly envelopeTimeNs: bigint;
}

/** Throws CommitRejectedError `ProtocolVersionTooLow`, which a newer build would not throw. */
export function checkProtocolFloor({ minVersion }: GroupState): void {
  if (minVersion === undefined) return;
  let low: boolean;
  try {
    low = compareVersions(minVersion, XMTP_PROTOCOL_VERSION) > 0;
  } catch (cause) {
    throw new CommitRejectedError("ComponentSource", "the group's protocol version floor is no version", { cause });
  }
  if (low) {
    reject(
      "ProtocolVersionTooLow",
      `the group requires protocol version ${minVersion}; this build speaks ${XMTP_PROTOCOL_VERSION}`,
      {
        required: minVersion,
        own: XMTP_PROTOCOL_VERSION,
      },
    );
  }
}

/** Those of RFC 9420 need not be required. */
function isOfMls({ type }: Extension): boolean {
  return type <= EXTENSION_TYPE.externalSenders;
}

/** libxmtp follows no context with an extension that is not among the required ones. */
function checkRequiredExtensions(extensions: readonly Extension[]): void {
  const data = findExtension(extensions, EXTENSION_TYPE.requiredCapabilities);
  let required: readonly number[];
  try {
    required = data === undefined ? [] : decodeRequiredCapabilities(data).extensionTypes;
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    throw new CommitRejectedError("ExtensionNotRequired", "the required capabilities cannot be read", { cause });
  }
  if (extensions.some((extension) => !isOfMls(extension) && !required.includes(extension.type))) {
    reject("ExtensionNotRequired", "a commit leaves the group with an extension that it does not require of leaves");
  }
}

function checkContextExtensions(extensions: readonly Extension[], context: GroupContext, authority: Authority): void {
  if (extensions.some(({ type }) => LEGACY_EXTENSION_TYPES.has(type))) {
    reject("LegacyExtensionReintroduced", "a commit brings back an extension of the form before app data");
  }
  const before = findExtension(context.extensions, EXTENSION_TYPE.appDataDictionary);
  const after = findExtension(extensions, EXTENSION_TYPE.appDataDictionary);
  if (before === undefined || after === undefined || !equalBytes(before, after)) {
    reject("AppDataChangedByGce", "a GroupContextExtensions proposal changes the app data");
  }
  if (!authority.isSuperAdmin) {
    reject("InsufficientPermissions", "only a super admin may change the group's extensions");
  }
  checkRequiredExtensions(extensions);
  const others = extensions.filter(({ type }) => type !== EXTENSION_TYPE.appDataDictionary);
  if (others.reduce((sum, { data }) => sum + data.length, 0) > XMTP_LIMITS.maxContextExtensionBytes) {
    reject("ContextExtensionsTooLarge", "a commit makes the group's extensions larger than is accepted");
  }
}

function checkProposal(item: ResolvedProposal, author: string, state: GroupState, context: GroupContext): void {
  const { proposal } = item;
  switch (proposal.kind) {
    case "add":
    case "update":
    case "remove":
      return;
    case "app_data_update":
      checkComponentWrite(proposal, authorityOf(author, state), state);
      return;
    case "group_context_extensions":
      checkContextExtensions(proposal.extensions, context, authorityOf(author, state));
      return;
    case "psk":
      return reject("NoPSKSupport", "a commit injects a pre-shared key");
    case "reinit":
    case "external_init":
    case "app_ephemeral":
    case "self_remove":
      return reject("UnsupportedProposalType", `a commit has a ${proposal.kind} proposal`);
  }
}

function checkMembershipChange(changed: readonly string[], before: GroupState, after: GroupState): void {
  for (const inboxId of changed) {
    const [old, entry] = [before.members.get(inboxId), after.members.get(inboxId)];
    if (old !== undefined && entry !== undefined && entry.sequenceId < old.sequenceId) {
      reject("SequenceIdDecreased", "a commit moves an inbox back in its identity log");
    }
  }
  for (const inboxId of changed) {
    if (!after.members.has(inboxId) && before.superAdmins.has(inboxId)) {
      reject("InsufficientPermissions", "a super admin cannot be removed; take the role away first");
    }
  }
}

/** A leaf that its owner replaces stays with its inbox and must be an installation of it. */
function checkReplacedLeaf(before: LeafNode, after: LeafNode, state: GroupState, identity: IdentityResolver): void {
  const { inboxId, installationId } = claimOf(after, "InboxValidationFailed");
  if (claimOf(before, "InboxValidationFailed").inboxId !== inboxId) {
    reject("InboxValidationFailed", "a leaf moves to another inbox");
  }
  const entry = state.members.get(inboxId);
  if (entry === undefined) return reject("SubjectDoesNotExist", "a leaf belongs to an inbox that is not in the group");
  if (equalBytes(before.signatureKey, after.signatureKey)) return;
  if (!resolve(identity, inboxId, entry.sequenceId).hasInstallation(installationId)) {
    reject("InboxValidationFailed", "a leaf takes a key that is no installation of its inbox");
  }
}

function checkCommitter(
  { commit, leaves, identity }: MemberCommitInput,
  before: GroupState,
  after: GroupState,
): string {
  const committer = leaves.leaf(commit.committerLeafIndex);
  if (committer === undefined) return reject("ActorNotMember", "a commit does not come from a member");
  const { inboxId, installationId } = claimOf(committer, "ActorNotMember");
  const entry = after.members.get(inboxId);
  if (entry === undefined) return reject("SubjectDoesNotExist", "the committer's inbox is not in the group any more");
  const moved = before.members.get(inboxId)?.sequenceId !== entry.sequenceId;
  if (moved && !resolve(identity, inboxId, entry.sequenceId).hasInstallation(installationId)) {
    reject("InboxValidationFailed", "the committer is no installation of its inbox any more");
  }
  if (commit.pathLeaf !== undefined) checkReplacedLeaf(committer, commit.pathLeaf, after, identity);
  for (const update of commit.updated) checkReplacedLeaf(update.before, update.after, after, identity);
  return inboxId;
}

/**
 * Judges a verified commit of a member by XMTP's rules, against the state before it; the order of checks is libxmtp's, but
 * that identity logs come last (IDN-02).
 * Reads no clock and does no I/O. Throws CommitRejectedError; `rule` names the broken one.
 */
export function validateMemberCommit(input: MemberCommitInput): void {
  const { commit, appData, newAppData, leaves, identity } = input;
  if (commit.sender.kind !== "member") reject("ActorNotMember", "the commit does not come from a member");
  if (commit.wireFormat !== "private_message") {
    reject("UnsupportedMessageType", "a member's commit must be a PrivateMessage");
  }
  const before = readState(appData);
  checkProtocolFloor(before);
  for (const item of commit.proposals) checkProposal(item, proposerOf(item, leaves), before, commit.context);
  checkPolicyWrite(appDataUpdatesOf(commit), newAppData);
  checkLeafSizes(commit);
  const after = readState(newAppData);
  checkStateSize(commit, appData, newAppData, after.members.size);
  checkMinVersion(before, after);
  checkProtocolFloor(after);
  const changed = changedInboxes(before.members, after.members);
  checkCommitSize(commit, changed, after);
  checkMembershipChange(changed, before, after);
  checkProposers({ commit, leaves, changed, before, after });
  const committer = checkCommitter(input, before, after);
  checkCapabilitiesKept(commit, leaves);
  checkInstallationChanges({
    added: commit.added.map(({ keyPackage }) => keyPackage.leafNode),
    removed: commit.removed.map(({ leafNode }) => leafNode),
    leaves,
    changed,
    before,
    after,
    identity,
    isSuperAdmin: before.superAdmins.has(committer),
    isSeen: isMembershipSeen(commit),
  });
}
