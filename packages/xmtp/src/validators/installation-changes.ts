import type { LeafNode } from "@latchkey/mls";
import type { GroupState } from "../app-data/group-state.ts";
import type { MembershipEntry } from "../app-data/membership.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "../protocol.ts";
import { claimOf, reject, resolve, type Claim, type IdentityResolver, type Leaves } from "./common.ts";

interface InstallationChanges {
  readonly added: readonly LeafNode[];
  readonly removed: readonly LeafNode[];
  /** Before the commit. */
  readonly leaves: Leaves;
  /** Inboxes whose entry in the membership is new, another one or gone. */
  readonly changed: readonly string[];
  readonly before: GroupState;
  readonly after: GroupState;
  readonly identity: IdentityResolver;
  /** The committer's role before the commit. */
  readonly isSuperAdmin: boolean;
  /** Whether libxmtp sees the change of the membership, see `isMembershipSeen`. */
  readonly isSeen: boolean;
}

/** True when the new membership still wants the leaf: its inbox is in it and its identity log names the installation. */
function isWanted({ inboxId, installationId }: Claim, after: GroupState, identity: IdentityResolver): boolean {
  const entry = after.members.get(inboxId);
  return entry !== undefined && resolve(identity, inboxId, entry.sequenceId).hasInstallation(installationId);
}

function isListedAsFailed({ inboxId, installationId }: Claim, after: GroupState): boolean {
  return after.members.get(inboxId)?.failedInstallations.includes(installationId) ?? false;
}

/** Every added leaf is an installation of its inbox at the point of the identity log that the new membership records. */
function checkAdded({ added, after, identity }: InstallationChanges): void {
  for (const leaf of added) {
    if (!isWanted(claimOf(leaf, "UnexpectedInstallationAdded"), after, identity)) {
      reject("UnexpectedInstallationAdded", "a commit adds a leaf that the group's membership does not account for");
    }
  }
}

/**
 * Every removed leaf has lost its place: its inbox was removed, or the installation was revoked. Super admins may also
 * replace a leaf by a fresh one of the same installation, and drop one that is listed as failed.
 */
function checkRemoved(changes: InstallationChanges): void {
  const { added, removed, after, identity, isSuperAdmin } = changes;
  const readded = new Set(added.map((leaf) => claimOf(leaf, "UnexpectedInstallationAdded").installationId));
  for (const leaf of removed) {
    const claim = claimOf(leaf, "UnexpectedInstallationsRemoved");
    const failed = isListedAsFailed(claim, after);
    if (isSuperAdmin && (failed || readded.has(claim.installationId))) continue;
    if (failed || isWanted(claim, after, identity)) {
      reject("UnexpectedInstallationsRemoved", "a commit removes a leaf whose installation still belongs to the group");
    }
  }
}

/**
 * No leaf stays whose inbox left, or whose installation was revoked at the point that the membership now records. Leaves of
 * inboxes whose entries stay have been looked at when they came in or when their entry changed last: no join or commit that
 * leaves others behind is ever accepted.
 */
function checkKept({ removed, leaves, changed, before, after, identity }: InstallationChanges): void {
  const removedKeys = new Set(removed.map((leaf) => claimOf(leaf, "UnexpectedInstallationsRemoved").installationId));
  for (const { leafNode } of changed.flatMap((inboxId) => [...leaves.leavesOf(inboxId)])) {
    const claim = claimOf(leafNode, "UnexpectedInstallationsRemoved");
    if (removedKeys.has(claim.installationId)) continue;
    const entry = after.members.get(claim.inboxId);
    const same = entry !== undefined && before.members.get(claim.inboxId)?.sequenceId === entry.sequenceId;
    if (same || isListedAsFailed(claim, after) || isWanted(claim, after, identity)) continue;
    reject(
      "UnexpectedInstallationsRemoved",
      "a commit leaves a leaf behind whose installation does not belong any more",
    );
  }
}

/** The installations of an inbox at its entry; libxmtp writes 0 where none is known yet. */
function installationsAt(inboxId: string, entry: MembershipEntry | undefined, identity: IdentityResolver): Set<string> {
  if (entry === undefined || entry.sequenceId === 0n) return new Set();
  return new Set(resolve(identity, inboxId, entry.sequenceId).installations());
}

/** Every entry that is new or moved names an update that exists: else nobody who joins later could judge the group. */
function checkPoints({ changed, before, after, identity }: InstallationChanges): void {
  for (const inboxId of changed) {
    const entry = after.members.get(inboxId);
    if (entry?.sequenceId !== before.members.get(inboxId)?.sequenceId) installationsAt(inboxId, entry, identity);
  }
}

/** Installations that a change of the membership adds and removes, by the identity logs. */
function expectedChanges({ changed, before, after, identity }: InstallationChanges) {
  const [added, removed] = [new Set<string>(), new Set<string>()];
  for (const inboxId of changed) {
    const [old, entry] = [before.members.get(inboxId), after.members.get(inboxId)];
    if (old?.sequenceId === entry?.sequenceId) continue;
    const [was, is] = [installationsAt(inboxId, old, identity), installationsAt(inboxId, entry, identity)];
    for (const id of is) if (!was.has(id)) added.add(id);
    for (const id of was) if (!is.has(id)) removed.add(id);
  }
  return { added, removed };
}

const NOBODY: ReadonlySet<string> = new Set();

function dropCommon(one: Set<string>, other: Set<string>): void {
  for (const id of one) if (other.delete(id)) one.delete(id);
}

function idsOf(leaves: readonly LeafNode[], rule: string): Set<string> {
  return new Set(leaves.map((leaf) => claimOf(leaf, rule).installationId));
}

/**
 * NAT-01: libxmtp compares the leaves that come and go with the difference of the identity states. Where a member may be
 * such a client, everybody decides as it does, or members part. Failed installations of all entries excuse a leaf.
 */
function checkAsNative(changes: InstallationChanges): void {
  const expected = changes.isSeen ? expectedChanges(changes) : { added: NOBODY, removed: NOBODY };
  const added = idsOf(changes.added, "UnexpectedInstallationAdded");
  const removed = idsOf(changes.removed, "UnexpectedInstallationsRemoved");
  const { members } = changes.isSeen ? changes.after : changes.before;
  const failed = new Set([...members.values()].flatMap((entry) => entry.failedInstallations));
  if (changes.isSuperAdmin) {
    dropCommon(added, removed);
    dropCommon(failed, removed);
  }
  if ([...added].some((id) => !expected.added.has(id))) {
    reject("UnexpectedInstallationAdded", "a commit adds an installation that the identity log does not add");
  }
  const due = [...expected.removed].filter((id) => !failed.has(id));
  if (due.length !== removed.size || due.some((id) => !removed.has(id))) {
    reject(
      "UnexpectedInstallationsRemoved",
      "a commit removes other leaves than the identity log and the membership say",
    );
  }
}

/**
 * Compares the changes of the tree with the changes of the membership. Installations that should have been added and
 * were not are tolerated, as by libxmtp: their key packages may be unusable. Throws CommitRejectedError, and
 * MissingIdentityError also for an inbox without a leaf.
 */
export function checkInstallationChanges(changes: InstallationChanges): void {
  checkAdded(changes);
  checkRemoved(changes);
  checkKept(changes);
  checkPoints(changes);
  if (!changes.leaves.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS)) checkAsNative(changes);
}
