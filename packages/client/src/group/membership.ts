import { toHex, type LeafIndex, type Proposal } from "@latchkey/mls";
import { COMPONENT, membershipDelta, XMTP_LIMITS, type MembershipMutation } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { planCommit, type ComponentPayload } from "./plan-commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";
import { leavesToExcuse, mayBeRemoved } from "./installations.ts";

/** The proposal that removes a leaf. */
export function removalOf(removed: LeafIndex): Proposal {
  return { kind: "remove", removed };
}

/** Leaves of those installations of an inbox that `include` names. */
export function leavesOf(core: GroupCore, inboxId: string, include: (installationId: string) => boolean): LeafIndex[] {
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
