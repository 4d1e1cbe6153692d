import {
  DecodeError,
  equalBytes,
  toHex,
  type AppData,
  type LeafNode,
  type ResolvedProposal,
  type VerifiedCommit,
} from "@latchkey/mls";
import { COMPONENT } from "../app-data/component.ts";
import type { GroupState } from "../app-data/group-state.ts";
import { INBOX_ID_KEY } from "../app-data/keys.ts";
import type { MembershipEntry } from "../app-data/membership.ts";
import { decodeMapDelta, type MapMutation } from "../app-data/tls-map.ts";
import { credentialText, leafInboxId } from "../credential.ts";
import { CommitRejectedError } from "../errors.ts";
import { isInboxId } from "../identity/identifier.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { countUses } from "../invite/policy.ts";
import type { ExternalCommitPolicyV1 } from "../proto.ts";
import {
  claimOf,
  readEntry,
  readState,
  reject,
  resolve,
  type Claim,
  type IdentityResolver,
  type Leaves,
  type SettledIdentity,
} from "./common.ts";
import { checkLeafSizes } from "./state-bounds.ts";

/** What an external commit is judged by. */
export interface ExternalCommitInput {
  readonly commit: VerifiedCommit;
  /** Before the commit. */
  readonly appData: AppData;
  /** Before the commit. */
  readonly leaves: Leaves;
  readonly identity: IdentityResolver;
  readonly settledIdentity: SettledIdentity;
  /** Time the node gave the commit. */
  readonly envelopeTimeNs: bigint;
  /** Time the node gave the commit that began the present epoch. */
  readonly epochStartNs: bigint;
}

/** Check 2: the master switch. */
function activePolicy({ policy }: GroupState): ExternalCommitPolicyV1 {
  if (policy?.allowExternalCommit === true) return policy;
  return reject("ExternalCommitNotAllowed", "the group does not accept joins by external commit");
}

/** Times of the node by which a join is judged. */
type JoinTimes = Pick<ExternalCommitInput, "envelopeTimeNs" | "epochStartNs">;

/** Checks 3 and 4, by the node's clock only: every member reaches the same verdict whenever it looks. */
function checkTime(policy: ExternalCommitPolicyV1, { envelopeTimeNs, epochStartNs }: JoinTimes): void {
  const { expiresAtNs, expireInNs } = policy;
  if (expiresAtNs !== 0n && envelopeTimeNs > expiresAtNs) {
    reject("ExternalCommitInviteExpired", "the external commit was sent after the invite ended");
  }
  const age = envelopeTimeNs > epochStartNs ? envelopeTimeNs - epochStartNs : 0n;
  if (expireInNs !== 0n && age > expireInNs) {
    reject("ExternalCommitInviteStale", "the external commit joins an epoch that is older than the invite allows");
  }
}

function joinerInboxId({ credential }: LeafNode): string {
  let inboxId: string;
  try {
    inboxId = credentialText(credential);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    const message = "the joining leaf's credential names no inbox";
    throw new CommitRejectedError("ExternalCommitMissingPathLeaf", message, { cause });
  }
  if (!isInboxId(inboxId)) reject("InboxValidationFailed", "the joining leaf's inbox id is not 64 hex digits");
  return inboxId;
}

/** Checks 5 and 6: who joins, and that it is not in already. */
function joinerOf(commit: VerifiedCommit, leaves: Leaves, state: GroupState): Claim {
  const { pathLeaf } = commit;
  if (pathLeaf === undefined) return reject("ExternalCommitMissingPathLeaf", "the external commit brings no leaf");
  const joiner = { inboxId: joinerInboxId(pathLeaf), installationId: toHex(pathLeaf.signatureKey) };
  const [leaf] = leaves.leavesOf(joiner.inboxId);
  if (leaf !== undefined || state.members.has(joiner.inboxId)) {
    reject("ExternalCommitJoinerAlreadyMember", "the joining inbox is in the group already");
  }
  return joiner;
}

/** Check 7. */
function checkUses(state: GroupState, { maxUses }: ExternalCommitPolicyV1): void {
  if (maxUses !== 0 && countUses(state) >= maxUses) {
    reject("ExternalCommitMaxUsesExhausted", "the invite has been used as often as it allows");
  }
}

/** Checks 8 to 13: the shape of the proposal list. Returns the one AppDataUpdate. */
function checkShape(proposals: readonly ResolvedProposal[]) {
  if (proposals.some(({ byReference }) => byReference)) {
    reject("ExternalCommitByReferenceProposalsForbidden", "the external commit refers to a proposal of the group");
  }
  const count = (kind: string) => proposals.filter(({ proposal }) => proposal.kind === kind).length;
  const inits = count("external_init");
  if (inits === 0) reject("ExternalCommitMissingExternalInit", "the external commit has no ExternalInit");
  if (inits > 1) reject("ExternalCommitMultipleExternalInit", "the external commit has more than one ExternalInit");
  if (count("self_remove") > 0) reject("ResyncExternalCommitNotSupported", "the external commit has a SelfRemove");
  if (count("group_context_extensions") > 0) {
    reject("ExternalCommitGceForbidden", "the external commit changes the group's extensions");
  }
  const allowed = new Set(["external_init", "add", "app_data_update"]);
  const other = proposals.find(({ proposal }) => !allowed.has(proposal.kind));
  if (other !== undefined) {
    reject("ExternalCommitUnsupportedProposalType", `the external commit has a ${other.proposal.kind} proposal`);
  }
  const updates = proposals.flatMap(({ proposal }) => (proposal.kind === "app_data_update" ? [proposal] : []));
  const [update] = updates;
  if (update === undefined) return reject("ExternalCommitAppDataUpdateMissing", "the joiner does not register itself");
  if (updates.length > 1) reject("ExternalCommitAppDataUpdateMultiple", "the external commit has two AppDataUpdates");
  return update;
}

/** Check 14: the joiner brings its own installations only. */
function checkAdds(proposals: readonly ResolvedProposal[], joiner: Claim): void {
  for (const { proposal } of proposals) {
    if (proposal.kind === "add" && leafInboxId(proposal.keyPackage.leafNode) !== joiner.inboxId) {
      reject("CrossInboxAddInExternalCommit", "the external commit adds a key package of another inbox");
    }
  }
}

function outOfScope(message: string): never {
  return reject("ExternalCommitAppDataUpdateOutOfScope", message);
}

function decodeDelta(payload: Uint8Array): MapMutation<string>[] {
  try {
    return decodeMapDelta(INBOX_ID_KEY, payload);
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause;
    const rule = "ExternalCommitAppDataUpdatePayloadMalformed";
    throw new CommitRejectedError(rule, "the joiner's membership change cannot be read", { cause });
  }
}

/** Checks 15 to 19: the one change is the insert of the joiner's own entry. */
function joinerEntry(update: ReturnType<typeof checkShape>, joiner: Claim): MembershipEntry {
  const { componentId, operation } = update;
  if (componentId !== COMPONENT.groupMembership) {
    reject("ExternalCommitAppDataUpdateWrongComponent", "the external commit writes another component", {
      componentId,
    });
  }
  if (operation.kind !== "update") return outOfScope("the external commit removes the membership");
  const [mutation, ...rest] = decodeDelta(operation.update);
  if (mutation?.op !== "insert" || rest.length > 0) return outOfScope("the joiner changes more than its own entry");
  if (mutation.key !== joiner.inboxId) return outOfScope("the joiner registers another inbox");
  return readEntry(mutation.value);
}

/**
 * SEC-01 and SEC-02, beyond XIP-82: the leaves that come in are installations of the joiner's inbox at the recorded
 * point of its identity log, and every installation of that point is either among them or listed as failed.
 */
function checkInstallations({ leaves, inboxId, entry, identity }: JoinerInput): void {
  const state = resolve(identity, inboxId, entry.sequenceId);
  const { maxJoinerInstallations } = XMTP_LIMITS;
  if (state.installations().length > maxJoinerInstallations) {
    const text = `an inbox with more than ${maxJoinerInstallations} installations joins by no external commit`;
    reject("ExternalCommitTooManyInstallations", text);
  }
  const rule = "ExternalCommitNotAnInstallation";
  const joined = new Set(leaves.map((leaf) => claimOf(leaf, rule).installationId));
  if ([...joined].some((installationId) => !state.hasInstallation(installationId))) {
    reject(rule, "a leaf of the external commit is no installation of the inbox it claims");
  }
  const failed = new Set(entry.failedInstallations);
  const accounted = [...failed].every((id) => state.hasInstallation(id) && !joined.has(id));
  if (!accounted || failed.size !== entry.failedInstallations.length) {
    reject("ExternalCommitFailedInstallationsInvalid", "the joiner lists installations as failed that are not missing");
  }
  if (state.installations().some((id) => !joined.has(id) && !failed.has(id))) {
    reject("ExternalCommitInstallationMissing", "the joiner leaves out an installation of its inbox");
  }
}

/** IDN-03, beyond XIP-82: an installation that was revoked two minutes before the envelope joins nowhere. */
function checkNotRevoked({ inboxId, leaves, entry, settledIdentity }: JoinerInput): void {
  const settled = settledIdentity(inboxId);
  if (settled === undefined || settled.sequenceId <= entry.sequenceId) return;
  const rule = "ExternalCommitInstallationRevoked";
  if (leaves.some((leaf) => !settled.state.hasInstallation(claimOf(leaf, rule).installationId))) {
    reject(rule, "the external commit brings an installation that was revoked before");
  }
}

/** Leaves and entry that a joiner brings into the group. */
interface JoinerInput extends Pick<ExternalCommitInput, "identity" | "settledIdentity"> {
  readonly inboxId: string;
  /** Of all its installations that join. */
  readonly leaves: readonly LeafNode[];
  /** Its entry in the membership. */
  readonly entry: MembershipEntry;
}

/** SEC-01, SEC-02 and IDN-03. */
function checkJoiner(input: JoinerInput): void {
  checkInstallations(input);
  checkNotRevoked(input);
}

/**
 * Judges a join by its envelope's time: the policy's times, and the joiner's identity log. The joiner does so when it
 * reads its own commit. All else was decided when the commit was made. Throws CommitRejectedError.
 */
export function validateJoinTimes(input: JoinerInput & JoinTimes & { readonly policy: ExternalCommitPolicyV1 }): void {
  checkTime(input.policy, input);
  checkJoiner(input);
}

/**
 * Judges a verified external commit by XIP-82 ("Receive-side validation"), against the state before it, in the order of
 * its checks, then by SEC-01, SEC-02 and IDN-03. Reads no clock and does no I/O, so that every member reaches the same verdict.
 * Throws CommitRejectedError; `rule` names the broken one.
 */
export function validateExternalCommit(input: ExternalCommitInput): void {
  const { commit, appData, identity, settledIdentity } = input;
  if (commit.sender.kind !== "new_member_commit") {
    reject("ExternalCommitNotNewMemberCommit", "the commit does not come from a new member");
  }
  const state = readState(appData);
  const policy = activePolicy(state);
  checkTime(policy, input);
  const joiner = joinerOf(commit, input.leaves, state);
  checkUses(state, policy);
  const update = checkShape(commit.proposals);
  checkLeafSizes(commit);
  checkAdds(commit.proposals, joiner);
  const entry = joinerEntry(update, joiner);
  if (!equalBytes(entry.admittedViaExternalGroupId, policy.externalGroupId)) {
    reject("ExternalCommitAdmittedViaTagMismatch", "the joiner's entry does not name the slot of the active invite");
  }
  const added = commit.added.map(({ keyPackage }) => keyPackage.leafNode);
  const leaves = commit.pathLeaf === undefined ? added : [commit.pathLeaf, ...added];
  checkJoiner({ inboxId: joiner.inboxId, leaves, entry, identity, settledIdentity });
}
