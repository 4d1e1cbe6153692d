import { toHex, type LeafIndex, type Proposal } from "@latchkey/mls";
import {
  COMPONENT,
  membershipDelta,
  XMTP_LIMITS,
  type AssociationState,
  type IdentityPoint,
  type MembershipEntry,
  type MembershipMutation,
} from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { fetchKeyPackages, type WantedInstallations } from "../identity/key-packages.ts";
import { addOf } from "./add-members.ts";
import { installationOf, usableIn } from "./adds.ts";
import { planCommit, type ComponentPayload } from "./plan-commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";
import { acceptsLateAdditions, addTargetOf, leavesToExcuse, mayBeRemoved, withoutLeaf } from "./installations.ts";

/** An inbox with the newest state of its identity log. */
interface LatestIdentity extends IdentityPoint {
  readonly state: AssociationState;
}

function removalOf(removed: LeafIndex): Proposal {
  return { kind: "remove", removed };
}

/** Leaves of those installations of an inbox that `include` names. */
function leavesOf(core: GroupCore, inboxId: string, include: (installationId: string) => boolean): LeafIndex[] {
  return core.mls
    .leavesOf(inboxId)
    .filter(({ leafNode }) => include(toHex(leafNode.signatureKey)))
    .map(({ leafIndex }) => leafIndex);
}

/** Throws NOT_PERMITTED. */
function requireRemovable(core: GroupCore, leaving: readonly string[]): void {
  const stuck = leaving.filter((inboxId) => !mayBeRemoved(core, inboxId));
  if (stuck.length === 0) return;
  const text = "a member without a device in the group stays as long as XMTP's own clients are in it; leave it out";
  throw clientError("NOT_PERMITTED", text, { rule: "ProposerNotFound", data: { inboxIds: stuck } });
}

/**
 * Removes inboxes with all their leaves, and changes further components in the same commit; undefined when none of them
 * is a member. Throws NOT_PERMITTED for oneself, and for inboxes that XMTP's own clients let nobody remove.
 */
export async function planRemoveMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  further: readonly ComponentPayload[] = [],
  signal?: AbortSignal,
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const leaving = [...new Set(inboxIds)].filter((inboxId) => members.has(inboxId));
  if (leaving.includes(core.context.own.inboxId)) {
    throw clientError("NOT_PERMITTED", "members cannot remove themselves; ask an admin of the group");
  }
  if (leaving.length > XMTP_LIMITS.maxCommitInboxes) {
    throw clientError(
      "NOT_PERMITTED",
      `one commit removes at most ${XMTP_LIMITS.maxCommitInboxes} members; remove them in parts`,
    );
  }
  if (leaving.length === 0) return undefined;
  requireRemovable(core, leaving);
  const mutations = leaving.map((inboxId): MembershipMutation => ({ op: "delete", inboxId }));
  const excused = await leavesToExcuse(core, leaving, signal);
  const { inboxId } = core.context.own;
  const entry = members.get(inboxId);
  if (entry !== undefined && excused.length > 0) {
    const failedInstallations = [...new Set([...entry.failedInstallations, ...excused])];
    mutations.push({ op: "update", inboxId, entry: { ...entry, failedInstallations } });
  }
  return planCommit(
    core,
    [{ componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) }, ...further],
    leaving.flatMap((inboxId) => leavesOf(core, inboxId, () => true)).map(removalOf),
  );
}

/** What follows an inbox from its entry to the newest state of its identity log. */
interface InboxChange {
  /** With the newest sequence id. */
  readonly entry: MembershipEntry;
  /** False for an entry at the newest sequence id: only late additions are left to make. */
  readonly isBehind: boolean;
  /** Leaves of revoked installations. */
  readonly revoked: readonly LeafIndex[];
  /** Installations that may be added. */
  readonly wanted: WantedInstallations;
  /** Installations without a leaf before the commit that stay unless they are added. */
  readonly out: readonly string[];
}

/** Undefined when nothing is left to change. */
async function followInbox(
  core: GroupCore,
  entry: MembershipEntry,
  { inboxId, sequenceId, state }: LatestIdentity,
  signal?: AbortSignal,
): Promise<InboxChange | undefined> {
  const isBehind = entry.sequenceId < sequenceId;
  const acceptsLate = acceptsLateAdditions(core);
  const out = withoutLeaf(core, state);
  if (!isBehind && (out.length === 0 || !acceptsLate)) return undefined;
  const recorded = { inboxId, sequenceId: entry.sequenceId };
  const known = await core.context.directory.lookup([recorded], { signal });
  const before = known.stateAfter(inboxId, entry.sequenceId);
  const isRevoked = (id: string) => !state.hasInstallation(id);
  // libxmtp writes 0 for an entry whose installations nobody has looked up yet.
  const isNew = (id: string) => entry.sequenceId === 0n || before?.hasInstallation(id) === false;
  const excused = acceptsLate ? [] : withoutLeaf(core, before).filter(isRevoked);
  return {
    entry: { ...entry, sequenceId },
    isBehind,
    revoked: leavesOf(core, inboxId, isRevoked),
    wanted: { inboxId, installationIds: acceptsLate ? out : out.filter((id) => isBehind && isNew(id)) },
    out: [...out, ...excused],
  };
}

/**
 * Follows the identity logs of members, of all unless told whose: adds installations they registered and removes those they
 * revoked. Installations that were left out are added where all members accept that. Those whose key packages cannot be
 * used here are listed as failed. Members that the node does not verify are not followed and collected in `unverifiable`.
 * Undefined when nothing changes.
 */
export async function planUpdateInstallations(
  core: GroupCore,
  signal?: AbortSignal,
  inboxIds?: readonly string[],
  unverifiable: Set<string> = new Set(),
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const changes: InboxChange[] = [];
  const found = await core.context.directory.latestVerifiable(inboxIds ?? [...members.keys()], signal);
  for (const inboxId of found.unverifiable) unverifiable.add(inboxId);
  for (const latest of found.latest) {
    const entry = members.get(latest.inboxId);
    const change = entry === undefined ? undefined : await followInbox(core, entry, latest, signal);
    if (change !== undefined) changes.push(change);
    // What is left comes with the next commit.
    if (changes.length >= XMTP_LIMITS.maxCommitInboxes) break;
  }
  const removed = changes.flatMap(({ revoked }) => revoked);
  const wanted = changes.map((change) => change.wanted);
  const tried = usableIn(addTargetOf(core, { removed }), await fetchKeyPackages(core.context, wanted, signal));
  core.context.keyPackageFaults.note(
    core.groupId,
    tried.flatMap(({ unusable }) => unusable),
  );
  const keyPackages = tried.flatMap((found) => found.keyPackages);
  const added = new Set(keyPackages.map(installationOf));
  const mutations = changes.flatMap(({ entry, isBehind, out, wanted: { inboxId } }, index): MembershipMutation[] => {
    if (!isBehind && tried[index]?.keyPackages.length === 0) return [];
    const failedInstallations = out.filter((id) => !added.has(id));
    return [{ op: "update", inboxId, entry: { ...entry, failedInstallations } }];
  });
  if (mutations.length === 0) return undefined;
  const payload = { componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) };
  return planCommit(core, [payload], [...removed.map(removalOf), ...keyPackages.map(addOf)]);
}
