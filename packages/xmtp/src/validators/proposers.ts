import type { LeafNode, ResolvedProposal, VerifiedCommit } from "@latchkey/mls";
import { COMPONENT } from "../app-data/component.ts";
import type { GroupState } from "../app-data/group-state.ts";
import { isAllowed, type Authority } from "../app-data/policy-rules.ts";
import { FOLLOWS_EXTERNAL_COMMITS } from "../protocol.ts";
import { claimOf, reject, type Leaves } from "./common.ts";

/** A member's rights, by the lists from before the commit. */
export function authorityOf(inboxId: string, state: GroupState): Authority {
  return { isAdmin: state.admins.has(inboxId), isSuperAdmin: state.superAdmins.has(inboxId) };
}

/** The inbox that authored a proposal; throws CommitRejectedError `ActorNotMember`. */
export function proposerOf({ sender }: ResolvedProposal, leaves: Leaves): string {
  const leaf = sender.kind === "member" ? leaves.leaf(sender.leafIndex) : undefined;
  if (leaf === undefined) return reject("ActorNotMember", "a proposal does not come from a member");
  return claimOf(leaf, "ActorNotMember").inboxId;
}

type Policy = "insertPolicy" | "deletePolicy";

/** libxmtp's membership policy: it reads one with conditions as "deny". */
function mayChangeMembers(kind: Policy, proposer: string, state: GroupState): boolean {
  const policy = state.registry.get(COMPONENT.groupMembership)?.permissions?.[kind];
  return policy?.kind.case === "base" && isAllowed(policy, authorityOf(proposer, state));
}

/** An Add or Remove of a commit: of which inbox, and who proposed it. */
interface LeafChange {
  readonly item: ResolvedProposal;
  readonly policy: Policy;
  readonly inboxId: string;
  readonly proposer: string;
}

function changedLeafOf({ proposal }: ResolvedProposal, leaves: Leaves): LeafNode | undefined {
  if (proposal.kind === "add") return proposal.keyPackage.leafNode;
  return proposal.kind === "remove" ? leaves.leaf(proposal.removed) : undefined;
}

function leafChangesOf({ proposals }: VerifiedCommit, leaves: Leaves): LeafChange[] {
  return proposals.flatMap((item) => {
    const leaf = changedLeafOf(item, leaves);
    if (leaf === undefined) return [];
    const { inboxId } = claimOf(leaf, "InboxValidationFailed");
    const policy = item.proposal.kind === "add" ? "insertPolicy" : "deletePolicy";
    return [{ item, policy, inboxId, proposer: proposerOf(item, leaves) }];
  });
}

/** Whether a client of XMTP's library other than the proposer's is in the group, which drops proposals that it refuses. */
function isReadByNative({ sender }: ResolvedProposal, leaves: Leaves): boolean {
  const own = sender.kind === "member" ? sender.leafIndex : undefined;
  return !leaves.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS, own);
}

/** A proposal in a message of its own is judged when it arrives, each leaf as if its inbox came or went. */
function checkReferenced({ item, policy, inboxId, proposer }: LeafChange, before: GroupState): void {
  const isProtected = item.proposal.kind === "remove" && before.superAdmins.has(inboxId);
  if (isProtected || !mayChangeMembers(policy, proposer, before)) {
    reject("InsufficientPermissions", "a commit refers to a proposal that XMTP's clients have refused to its author");
  }
}

interface MembershipChange {
  readonly commit: VerifiedCommit;
  readonly leaves: Leaves;
  /** Inboxes whose entry in the membership is new, another one or gone. */
  readonly changed: readonly string[];
  readonly before: GroupState;
  readonly after: GroupState;
}

/** False for a commit with GroupContextExtensions: libxmtp then takes the membership from there, where it is as before. */
export function isMembershipSeen({ proposals }: VerifiedCommit): boolean {
  return !proposals.some(({ proposal }) => proposal.kind === "group_context_extensions");
}

/**
 * NAT-02: libxmtp judges who proposed that a leaf comes or goes. Where a member may be such a client, everybody decides as it
 * does. Throws CommitRejectedError `InsufficientPermissions` or `ProposerNotFound`.
 */
export function checkProposers({ commit, leaves, changed, before, after }: MembershipChange): void {
  if (leaves.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS)) return;
  const changes = leafChangesOf(commit, leaves);
  for (const change of changes) {
    if (change.item.byReference && isReadByNative(change.item, leaves)) checkReferenced(change, before);
  }
  for (const inboxId of isMembershipSeen(commit) ? changed : []) {
    const [was, is] = [before.members.has(inboxId), after.members.has(inboxId)];
    if (was === is) continue;
    const policy = is ? "insertPolicy" : "deletePolicy";
    const ofInbox = changes.filter((change) => change.inboxId === inboxId && change.policy === policy);
    if (ofInbox.length === 0) reject("ProposerNotFound", "a commit adds or removes an inbox without a leaf of it");
    if (ofInbox.some(({ proposer }) => !mayChangeMembers(policy, proposer, before))) {
      reject("InsufficientPermissions", "a member adds or removes leaves of an inbox that it may not add or remove");
    }
  }
}
