import { DecodeError, type AppData, type VerifiedCommit } from "@latchkey/mls";
import { appDataUpdatesOf, applyAppDataUpdates, mergeAppData } from "../app-data/apply.ts";
import { COMPONENT } from "../app-data/component.ts";
import { changedInboxes, readMembership } from "../app-data/membership.ts";
import { leafInboxId } from "../credential.ts";
import { CommitRejectedError, type IdentityPoint } from "../errors.ts";
import { resolve, type IdentityResolver } from "./common.ts";

function membershipAfter(commit: VerifiedCommit, appData: AppData, newAppData: AppData | undefined) {
  // Only the membership matters here; what else the commit writes may be nonsense that a validator refuses later.
  const updates = appDataUpdatesOf(commit).filter(({ componentId }) => componentId === COMPONENT.groupMembership);
  const after = newAppData ?? mergeAppData(appData, applyAppDataUpdates(appData, updates));
  return readMembership(after.get(COMPONENT.groupMembership));
}

function collect(commit: VerifiedCommit, appData: AppData, newAppData: AppData | undefined): IdentityPoint[] {
  const before = readMembership(appData.get(COMPONENT.groupMembership));
  const after = membershipAfter(commit, appData, newAppData);
  const moved = (inboxId: string) => before.get(inboxId)?.sequenceId !== after.get(inboxId)?.sequenceId;
  const inboxes = new Set<string | undefined>(changedInboxes(before, after).filter(moved));
  for (const { keyPackage } of commit.added) inboxes.add(leafInboxId(keyPackage.leafNode));
  for (const { leafNode } of commit.removed) inboxes.add(leafInboxId(leafNode));
  for (const { after: leafNode } of commit.updated) inboxes.add(leafInboxId(leafNode));
  if (commit.pathLeaf !== undefined) inboxes.add(leafInboxId(commit.pathLeaf));
  return [...inboxes].flatMap((inboxId) => {
    if (inboxId === undefined) return [];
    const [old, entry] = [before.get(inboxId), after.get(inboxId)];
    const points = old?.sequenceId === entry?.sequenceId ? [entry] : [old, entry];
    return points.flatMap((point) =>
      point === undefined || point.sequenceId === 0n ? [] : [{ inboxId, sequenceId: point.sequenceId }],
    );
  });
}

/**
 * The points of identity logs that the validators will ask for, to be fetched before. Without `newAppData` it is computed
 * from the commit. Empty for commits that are malformed anyway.
 */
export function requiredIdentities(commit: VerifiedCommit, appData: AppData, newAppData?: AppData): IdentityPoint[] {
  try {
    return collect(commit, appData, newAppData);
  } catch (error) {
    if (error instanceof DecodeError || error instanceof CommitRejectedError) return [];
    throw error;
  }
}

/**
 * The points that `validateWelcome` will ask for: every member's, without those at no update. Throws DecodeError for a
 * malformed membership.
 */
export function membershipIdentities(appData: AppData): IdentityPoint[] {
  return [...readMembership(appData.get(COMPONENT.groupMembership))].flatMap(([inboxId, { sequenceId }]) =>
    sequenceId === 0n ? [] : [{ inboxId, sequenceId }],
  );
}

/** Throws MissingIdentityError for the first point that does not exist. */
export function requireIdentities(points: readonly IdentityPoint[], identity: IdentityResolver): void {
  for (const { inboxId, sequenceId } of points) resolve(identity, inboxId, sequenceId);
}
