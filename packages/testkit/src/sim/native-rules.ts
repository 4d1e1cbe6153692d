import type { LeafIndex, LeafNode, VerifiedCommit } from "@latchkey/mls";
import { decodeMlsCredential, type AssociationState, type GroupState } from "@latchkey/xmtp";
import { toHex } from "@latchkey/mls";

/** A commit with all that a client of XMTP's native library judges it by. */
export interface NativeQuestion {
  readonly commit: VerifiedCommit;
  /** The group's state before the commit. */
  readonly before: GroupState;
  readonly after: GroupState;
  /** Leaves before the commit. */
  readonly leaf: (index: LeafIndex) => LeafNode | undefined;
  /** An inbox after an update of its log; undefined for an update that the node does not show now. */
  readonly stateAfter: (inboxId: string, sequenceId: bigint) => AssociationState | undefined;
}

/** Kinds of proposals that the native library refuses in every commit. */
const REFUSED_KINDS: readonly string[] = ["psk", "reinit", "external_init", "self_remove"];

/**
 * Why a client of XMTP's native library refuses a commit; undefined where it follows it. A model of its rules, written for
 * comparison: it shares no code with the validators of our clients. It knows the default permissions of groups alone.
 */
export function nativeRefusal(question: NativeQuestion): string | undefined {
  const { commit } = question;
  if (commit.sender.kind !== "member") return "an external commit";
  if (commit.proposals.some(({ proposal }) => REFUSED_KINDS.includes(proposal.kind))) return "a kind of proposal";
  return refusedRight(question) ?? refusedEntry(question) ?? refusedLeaf(question);
}

function inboxOf(leaf: LeafNode): string {
  return decodeMlsCredential(leaf.credential);
}

function sameSet(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((item) => other.has(item));
}

/** Everybody adds inboxes; admins remove them, but for super admins; super admins appoint. */
function refusedRight({ commit, before, after, leaf }: NativeQuestion): string | undefined {
  const committer = leaf(commit.committerLeafIndex);
  if (committer === undefined) return "a committer without a leaf";
  const actor = inboxOf(committer);
  const isSuperAdmin = before.superAdmins.has(actor);
  const isAdmin = isSuperAdmin || before.admins.has(actor);
  const gone = [...before.members.keys()].filter((inboxId) => !after.members.has(inboxId));
  if (gone.length > 0 && !isAdmin) return "a removal by somebody who is no admin";
  if (gone.some((inboxId) => before.superAdmins.has(inboxId))) return "the removal of a super admin";
  const hasAppointed = !sameSet(before.admins, after.admins) || !sameSet(before.superAdmins, after.superAdmins);
  return hasAppointed && !isSuperAdmin ? "roles given by somebody who is no super admin" : undefined;
}

/** An entry never goes back in its log, and names an update that the node shows now. */
function refusedEntry({ before, after, stateAfter }: NativeQuestion): string | undefined {
  for (const [inboxId, { sequenceId }] of after.members) {
    const old = before.members.get(inboxId)?.sequenceId ?? 0n;
    if (sequenceId < old) return "an entry that goes back";
    if (sequenceId !== old && stateAfter(inboxId, sequenceId) === undefined) return "an update that is missing";
  }
  return undefined;
}

/** Leaves that come and go are compared with the difference of the identity logs at the changed entries. */
function refusedLeaf({ commit, before, after, leaf, stateAfter }: NativeQuestion): string | undefined {
  const installations = (inboxId: string, sequenceId: bigint | undefined) =>
    new Set(sequenceId === undefined ? [] : stateAfter(inboxId, sequenceId)?.installations());
  const [comes, goes] = [new Set<string>(), new Set<string>()];
  for (const inboxId of new Set([...before.members.keys(), ...after.members.keys()])) {
    const [old, now] = [before.members.get(inboxId)?.sequenceId, after.members.get(inboxId)?.sequenceId];
    if (old === now) continue;
    const [was, is] = [installations(inboxId, old), installations(inboxId, now)];
    for (const id of is) if (!was.has(id)) comes.add(id);
    for (const id of was) if (!is.has(id)) goes.add(id);
  }
  const failed = new Set([...after.members.values()].flatMap(({ failedInstallations }) => failedInstallations));
  const added = new Set(commit.added.map(({ keyPackage }) => toHex(keyPackage.leafNode.signatureKey)));
  const removed = new Set(commit.removed.map(({ leafNode }) => toHex(leafNode.signatureKey)));
  for (const { keyPackage } of commit.added) {
    if (!after.members.has(inboxOf(keyPackage.leafNode))) return "a leaf of somebody who is no member";
  }
  const committer = leaf(commit.committerLeafIndex);
  if (committer !== undefined && before.superAdmins.has(inboxOf(committer))) {
    // A super admin replaces leaves, and drops those that failed.
    for (const id of [...added]) if (removed.delete(id)) added.delete(id);
    for (const id of failed) removed.delete(id);
  }
  if ([...added].some((id) => !comes.has(id))) return "an installation that its log does not add now";
  const due = new Set([...goes].filter((id) => !failed.has(id)));
  return sameSet(due, removed) ? undefined : "other leaves go than the logs say";
}
