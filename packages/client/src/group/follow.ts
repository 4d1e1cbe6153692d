import { toHex, type LeafIndex, type Proposal } from "@latchkey/mls";
import { COMPONENT, membershipDelta, XMTP_LIMITS, type MembershipEntry, type MembershipMutation } from "@latchkey/xmtp";
import type { LatestIdentity } from "../identity/directory.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { fetchKeyPackages, type FetchedKeyPackages, type WantedInstallations } from "../identity/key-packages.ts";
import { addOf } from "./add-members.ts";
import { installationOf, usableIn } from "./adds.ts";
import { hiddenEntries } from "./entries.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";
import { acceptsLateAdditions, addTargetOf, withoutLeaf } from "./installations.ts";
import { leavesOf, removalOf } from "./membership.ts";
import { planCommit } from "./plan-commit.ts";

/** What follows an inbox from its entry to the newest state of its identity log. */
export interface InboxChange {
  readonly inboxId: string;
  /** With the newest sequence id. */
  readonly entry: MembershipEntry;
  /** False for an entry at the newest sequence id: only late additions are left to make. */
  readonly isBehind: boolean;
  /** When the newest update was stamped, by the node's clock. */
  readonly updatedNs: bigint;
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
  { inboxId, sequenceId, serverTimestampNs, state }: LatestIdentity,
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
    inboxId,
    entry: { ...entry, sequenceId },
    isBehind,
    updatedNs: serverTimestampNs,
    revoked: leavesOf(core, inboxId, isRevoked),
    wanted: { inboxId, installationIds: acceptsLate ? out : out.filter((id) => isBehind && isNew(id)) },
    out: [...out, ...excused],
  };
}

/** The changes that follow these inboxes, at most as many as one commit takes; those that `include` leaves out stay as they are. */
export async function changesOf(
  core: GroupCore,
  latest: Iterable<LatestIdentity>,
  signal?: AbortSignal,
  include: (change: InboxChange) => boolean = () => true,
): Promise<InboxChange[]> {
  const { members } = core.state;
  const changes: InboxChange[] = [];
  for (const identity of latest) {
    const entry = members.get(identity.inboxId);
    const change = entry === undefined ? undefined : await followInbox(core, entry, identity, signal);
    if (change !== undefined && include(change)) changes.push(change);
    // What is left comes with the next commit.
    if (changes.length >= XMTP_LIMITS.maxCommitInboxes) break;
  }
  return changes;
}

/**
 * The commit of these changes; undefined when nothing changes. Installations whose key packages cannot be used here are
 * listed as failed; `isTooEarly` leaves a change out instead, by what was found of its installations.
 */
export async function planChanges(
  core: GroupCore,
  changes: readonly InboxChange[],
  signal?: AbortSignal,
  isTooEarly: (change: InboxChange, found: FetchedKeyPackages | undefined) => boolean = () => false,
): Promise<CommitPlan | undefined> {
  const wanted = changes.map((change) => change.wanted);
  const fetched = await fetchKeyPackages(core.context, wanted, signal);
  const due = changes.filter((change, index) => !isTooEarly(change, fetched[index]));
  const removed = due.flatMap(({ revoked }) => revoked);
  const found = fetched.filter((_, index) => due.includes(changes[index] as InboxChange));
  const tried = usableIn(addTargetOf(core, { removed }), found);
  core.context.keyPackageFaults.note(
    core.groupId,
    tried.flatMap(({ unusable }) => unusable),
  );
  const keyPackages = tried.flatMap((each) => each.keyPackages);
  const added = new Set(keyPackages.map(installationOf));
  const mutations = due.flatMap(({ inboxId, entry, isBehind, out }, index): MembershipMutation[] => {
    if (!isBehind && tried[index]?.keyPackages.length === 0) return [];
    const failedInstallations = out.filter((id) => !added.has(id));
    return [{ op: "update", inboxId, entry: { ...entry, failedInstallations } }];
  });
  if (mutations.length === 0) return undefined;
  const payload = { componentId: COMPONENT.groupMembership, update: membershipDelta(mutations) };
  const proposals: Proposal[] = [...removed.map(removalOf), ...keyPackages.map(addOf)];
  return planCommit(core, [payload], proposals);
}

/**
 * Follows the identity logs of members, of all unless told whose: adds installations they registered and removes those they
 * revoked. Installations that were left out are added where all members accept that. Members that the node does not verify
 * are not followed and collected in `unverifiable`. Undefined when nothing changes.
 */
export async function planUpdateInstallations(
  core: GroupCore,
  signal?: AbortSignal,
  inboxIds?: readonly string[],
  unverifiable: Set<string> = new Set(),
): Promise<CommitPlan | undefined> {
  const { members } = core.state;
  const found = await core.context.directory.latestVerifiable(inboxIds ?? [...members.keys()], signal);
  for (const inboxId of found.unverifiable) unverifiable.add(inboxId);
  return planChanges(core, await changesOf(core, found.latest, signal), signal);
}

/** Which changes of members' identity logs are followed now. */
export interface FollowScope {
  /** Whose logs; default: those of all members. */
  readonly inboxIds?: readonly string[] | undefined;
  /**
   * Least age of a registration of another inbox, in nanoseconds of the node's clock: a device of its own is to come first.
   * Undefined leaves registrations of others out. Revocations never wait.
   */
  readonly othersAfterNs: bigint | undefined;
}

/** False for a join or a return that no member has confirmed: what it adds may be nowhere. */
function isSettled({ context, record, groupId }: GroupCore): boolean {
  if (record.status === "confirmed") return true;
  const isReturn = hiddenEntries(context, record.mlsGroupId).some(({ role }) => role === "kept");
  return record.status === "pending" && !isReturn && context.store.joins.get(groupId) === undefined;
}

/** Whether a change of an inbox is to be followed now. A change that concerns no leaf is left to the next one that does. */
function isDueIn(core: GroupCore, { othersAfterNs }: FollowScope): (change: InboxChange) => boolean {
  const { own, time } = core.context;
  const nowNs = time.bestNs();
  return ({ inboxId, isBehind, revoked, wanted, updatedNs }) => {
    if (!isBehind) return false;
    if (revoked.length > 0) return true;
    if (wanted.installationIds.length === 0 || !isSettled(core)) return false;
    return inboxId === own.inboxId || (othersAfterNs !== undefined && nowNs - updatedNs >= othersAfterNs);
  };
}

/** The changes that are due now, by the identity logs as far as they were read. Asks nobody for them. */
export async function dueChanges(core: GroupCore, scope: FollowScope, signal?: AbortSignal): Promise<InboxChange[]> {
  const { members } = core.state;
  const newest = await core.context.directory.newestKnown(scope.inboxIds ?? [...members.keys()]);
  const behind = [...newest.values()].filter(
    ({ inboxId, sequenceId }) => (members.get(inboxId)?.sequenceId ?? sequenceId) < sequenceId,
  );
  return behind.length === 0 ? [] : changesOf(core, behind, signal, isDueIn(core, scope));
}

/**
 * The commit of `dueChanges`; undefined when nothing is due. A device that was registered a moment ago and has no key
 * package yet is waited for: XMTP's clients refuse to add later what was listed as failed (NAT-01).
 */
export async function planFollow(
  core: GroupCore,
  scope: FollowScope,
  signal?: AbortSignal,
): Promise<CommitPlan | undefined> {
  const changes = await dueChanges(core, scope, signal);
  if (changes.length === 0) return undefined;
  const nowNs = core.context.time.bestNs();
  return planChanges(core, changes, signal, ({ revoked, updatedNs }, found) => {
    if (revoked.length > 0 || nowNs - updatedNs >= CLIENT_LIMITS.keyPackageGraceNs) return false;
    return found?.unusable.some(({ fault }) => fault === "missing") === true;
  });
}

/** Whether a leaf of the own inbox is to come or go, as far as the own log is in memory. Asks nobody. */
export function isOwnBehind(core: GroupCore): boolean {
  const { own, directory } = core.context;
  const entry = core.state.members.get(own.inboxId);
  const newest = directory.newestInMemory(own.inboxId);
  if (entry === undefined || newest === undefined || newest.sequenceId <= entry.sequenceId) return false;
  const leaves = core.mls.leavesOf(own.inboxId).map(({ leafNode }) => toHex(leafNode.signatureKey));
  const isRevoked = leaves.some((id) => !newest.state.hasInstallation(id));
  return isRevoked || withoutLeaf(core, newest.state).some((id) => !entry.failedInstallations.includes(id));
}
