import type { AppData } from "@latchkey/mls";
import type { GroupState } from "../app-data/group-state.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { checkMemberCount } from "./commit-size.ts";
import { claimOf, readState, reject, resolve, type IdentityResolver, type TreeMember } from "./common.ts";
import { checkProtocolFloor } from "./member-commit.ts";

const rule = "InvalidGroupMembership";

/** The group that a Welcome leads to. */
export interface WelcomedGroup {
  readonly epoch: bigint;
  readonly appData: AppData;
  members(): Iterable<TreeMember>;
}

/** State of a group, and the installation ids of its leaves by inbox. */
interface StatedMembership {
  readonly state: GroupState;
  readonly leaves: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Judges a group by its bytes, before an identity log is read: the membership has no more inboxes than a tree has
 * leaves, every leaf belongs to one of them, and the epoch is in range. O(leaves). Throws CommitRejectedError
 * `EpochOutOfRange`, `ComponentSource`, `SequenceIdOutOfRange`, `ProtocolVersionTooLow`, `TooManyMembers` or
 * `InvalidGroupMembership`.
 */
export function checkWelcomedGroup(group: WelcomedGroup): StatedMembership {
  if (group.epoch > XMTP_LIMITS.maxEpoch) reject("EpochOutOfRange", "the epoch of a group is 2^62 or more");
  const state = readState(group.appData);
  checkProtocolFloor(state);
  checkMemberCount(state);
  const leaves = new Map<string, Set<string>>();
  for (const { leafNode } of group.members()) {
    const { inboxId, installationId } = claimOf(leafNode, rule);
    const known = leaves.get(inboxId);
    if (known === undefined) leaves.set(inboxId, new Set([installationId]));
    else known.add(installationId);
  }
  for (const inboxId of leaves.keys()) {
    if (!state.members.has(inboxId)) reject(rule, "the group holds a leaf of an inbox that is not in its membership");
  }
  return { state, leaves };
}

/**
 * Judges the group that a Welcome leads to, by `checkWelcomedGroup` and by the identity logs: every leaf is an installation
 * of an inbox of the membership at its recorded point. An installation that is no leaf may be missing unsaid: libxmtp leaves
 * one out and lists none as failed. O(leaves).
 * Throws CommitRejectedError `InvalidGroupMembership`, `MissingIdentityUpdate`, and as `checkWelcomedGroup`.
 */
export function validateWelcome(group: WelcomedGroup, identity: IdentityResolver): void {
  const { state, leaves } = checkWelcomedGroup(group);
  for (const [inboxId, { sequenceId }] of state.members) {
    const present = leaves.get(inboxId) ?? new Set<string>();
    // At no update an inbox has no installations, and any member may write such an entry.
    const inbox = sequenceId === 0n ? undefined : resolve(identity, inboxId, sequenceId);
    if ([...present].some((id) => inbox?.hasInstallation(id) !== true)) {
      reject(rule, "the group holds a leaf that is no installation of its inbox");
    }
  }
}
