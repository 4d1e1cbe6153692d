import { bytesKey, equalBytes, toHex } from "../bytes.ts";
import { ValidationError } from "../errors.ts";
import { MLS_LIMITS } from "../limits.ts";
import { appDataOf } from "../messages/app-data.ts";
import type { Commit } from "../messages/commit.ts";
import { EXTENSION_TYPE, findExtension, type Extension } from "../messages/extension.ts";
import type { Sender } from "../messages/framing.ts";
import type { LeafIndex } from "../tree/math.ts";
import type { Proposal, ProposalKind, ReInit } from "../messages/proposal.ts";
import type { ExternalCommitPolicy } from "./config.ts";

/** A proposal of a commit with the one who proposed it. */
export interface ResolvedProposal {
  readonly proposal: Proposal;
  readonly sender: Sender;
  readonly byReference: boolean;
}

/** A proposal of the current epoch that waits for a commit. */
export interface PendingProposal {
  readonly reference: Uint8Array;
  readonly proposal: Proposal;
  readonly sender: Sender;
  /** For an Update of our own: the private key of the leaf it brings. */
  readonly leafPrivateKey: Uint8Array | undefined;
}

/** The leaf that a Remove or a SelfRemove takes out; undefined for every other proposal. */
export function removedLeaf(proposal: Proposal, sender: Sender): LeafIndex | undefined {
  if (proposal.kind === "remove") return proposal.removed;
  return proposal.kind === "self_remove" && sender.kind === "member" ? sender.leafIndex : undefined;
}

const PATH_REQUIRED: ReadonlySet<ProposalKind> = new Set([
  "update",
  "remove",
  "external_init",
  "group_context_extensions",
  "self_remove",
]);

/** True when a commit of these proposals must have a path (RFC 9420 §12.4). */
export function isPathRequired(proposals: readonly ResolvedProposal[]): boolean {
  return proposals.length === 0 || proposals.some(({ proposal }) => PATH_REQUIRED.has(proposal.kind));
}

/** The group that a commit of these proposals announces in place of this one; undefined for any other commit. */
export function reinitOf(
  proposals: readonly Pick<ResolvedProposal, "proposal">[],
  version: number,
): ReInit | undefined {
  const [proposal] = proposals.flatMap((item) => (item.proposal.kind === "reinit" ? [item.proposal] : []));
  if (proposal === undefined) return undefined;
  if (proposal.version < version)
    throw new ValidationError("reinit", "a ReInit goes back to an earlier protocol version");
  const { groupId, cipherSuite, extensions } = proposal;
  return { groupId, version: proposal.version, cipherSuite, extensions };
}

/** Replaces references by the proposals they stand for; throws ValidationError for an unknown or repeated one. */
export function resolveProposals(
  commit: Commit,
  committer: Sender,
  pending: ReadonlyMap<string, PendingProposal>,
): ResolvedProposal[] {
  const used = new Set<string>();
  return commit.proposals.map((item) => {
    if (item.kind === "proposal") return { proposal: item.proposal, sender: committer, byReference: false };
    const key = toHex(item.reference);
    const found = pending.get(key);
    if (found === undefined || used.has(key)) {
      throw new ValidationError("proposal-reference", "a commit refers to a proposal that is unknown or used twice");
    }
    used.add(key);
    return { proposal: found.proposal, sender: found.sender, byReference: true };
  });
}

function invalid(message: string): never {
  throw new ValidationError("proposal-list", message);
}

function ofKind<K extends ProposalKind>(proposals: readonly ResolvedProposal[], kind: K) {
  return proposals.flatMap(({ proposal, ...rest }) =>
    proposal.kind === kind ? [{ proposal: proposal as Extract<Proposal, { kind: K }>, ...rest }] : [],
  );
}

/** AppDataUpdate rules of the extensions draft: after any GroupContextExtensions; one remove or updates per component. */
function checkAppDataUpdates(proposals: readonly ResolvedProposal[], extensions: readonly Extension[]): void {
  const kinds = proposals.map(({ proposal }) => proposal.kind);
  const firstUpdate = kinds.indexOf("app_data_update");
  if (firstUpdate !== -1 && kinds.lastIndexOf("group_context_extensions") > firstUpdate) {
    invalid("an AppDataUpdate stands before a GroupContextExtensions proposal");
  }
  const removed = new Set<number>();
  const seen = new Set<number>();
  for (const { proposal } of ofKind(proposals, "app_data_update")) {
    const { componentId, operation } = proposal;
    if (removed.has(componentId) || (operation.kind === "remove" && seen.has(componentId))) {
      invalid(`component ${componentId} is removed and changed in the same commit`);
    }
    seen.add(componentId);
    if (operation.kind === "remove") removed.add(componentId);
  }
  const before = findExtension(extensions, EXTENSION_TYPE.appDataDictionary);
  const present = removed.size === 0 ? undefined : appDataOf(extensions);
  if ([...removed].some((componentId) => present?.has(componentId) === false)) {
    throw new ValidationError("app-data-remove", "an AppDataUpdate removes a component that the group does not have");
  }
  for (const { proposal } of ofKind(proposals, "group_context_extensions")) {
    const after = findExtension(proposal.extensions, EXTENSION_TYPE.appDataDictionary);
    const same = before === undefined || after === undefined ? before === after : equalBytes(before, after);
    if (!same) throw new ValidationError("app-data-by-gce", "a GroupContextExtensions proposal changes the app data");
  }
}

/** No PSK stands twice, whatever its nonce (RFC 9420 §12.2). */
function checkPskIds(proposals: readonly ResolvedProposal[]): void {
  const ids = ofKind(proposals, "psk").map(({ proposal: { psk } }) =>
    psk.kind === "external" ? `x${bytesKey(psk.pskId)}` : `r${bytesKey(psk.groupId)}/${psk.epoch}`,
  );
  if (new Set(ids).size !== ids.length) invalid("a PSK stands twice");
}

/** The rules for the proposal list of a member's commit (RFC 9420 §12.2). */
export function checkMemberProposals(
  proposals: readonly ResolvedProposal[],
  committer: Sender & { kind: "member" },
  extensions: readonly Extension[],
): void {
  if (proposals.length > MLS_LIMITS.maxProposals)
    invalid(`a commit has more than ${MLS_LIMITS.maxProposals} proposals`);
  if (proposals.some(({ proposal }) => proposal.kind === "external_init"))
    invalid("a member's commit has ExternalInit");
  if (ofKind(proposals, "reinit").length > 0 && proposals.length > 1) invalid("ReInit stands with other proposals");
  if (ofKind(proposals, "group_context_extensions").length > 1) invalid("GroupContextExtensions stands twice");
  const touched = new Set<number>();
  for (const { proposal, sender } of proposals) {
    const updated = proposal.kind === "update" && sender.kind === "member" ? sender.leafIndex : undefined;
    const leaf = updated ?? removedLeaf(proposal, sender);
    if (leaf === undefined) continue;
    if (leaf === committer.leafIndex) invalid(`the committer's own leaf is in a ${proposal.kind}`);
    if (touched.has(leaf)) invalid("a leaf is updated or removed twice");
    touched.add(leaf);
  }
  checkPskIds(proposals);
  checkAppDataUpdates(proposals, extensions);
}

/** The rules for the proposal list of an external commit (RFC 9420 §12.2, §12.4.3.2), widened by the policy only. */
export function checkExternalProposals(
  proposals: readonly ResolvedProposal[],
  policy: ExternalCommitPolicy,
  extensions: readonly Extension[],
): void {
  if (proposals.length > policy.maxProposals) {
    invalid(`an external commit has ${proposals.length} proposals; at most ${policy.maxProposals} are taken`);
  }
  if (proposals.some(({ byReference }) => byReference)) {
    throw new ValidationError("external-by-reference", "an external commit refers to a proposal of the group");
  }
  const inits = ofKind(proposals, "external_init").length;
  if (inits !== 1) throw new ValidationError("external-init", `an external commit has ${inits} ExternalInit, not 1`);
  if (ofKind(proposals, "remove").length > 1) {
    throw new ValidationError("external-remove", "an external commit removes more than its joiner's former leaf");
  }
  checkPskIds(proposals);
  const forbidden = proposals.find(({ proposal }) => !policy.byValue.has(proposal.kind));
  if (forbidden !== undefined) {
    throw new ValidationError("external-proposal", `an external commit has a ${forbidden.proposal.kind} proposal`, {
      data: { proposal: forbidden.proposal.kind },
    });
  }
  checkAppDataUpdates(proposals, extensions);
}
