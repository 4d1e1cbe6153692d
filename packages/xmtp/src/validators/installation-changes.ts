import type { LeafNode } from "@latchkey/mls";
import type { GroupState } from "../app-data/group-state.ts";
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

/**
 * Compares what a commit does to the tree with what it does to the membership. Installations that should have been added
 * and were not are tolerated, as by libxmtp: their key packages may be unusable. Throws CommitRejectedError.
 */
export function checkInstallationChanges(changes: InstallationChanges): void {
  checkAdded(changes);
  checkRemoved(changes);
  checkKept(changes);
}
