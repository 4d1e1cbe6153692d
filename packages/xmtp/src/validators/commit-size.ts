import { MLS_LIMITS, type LeafNode, type VerifiedCommit } from "@latchkey/mls";
import type { GroupState } from "../app-data/group-state.ts";
import { leafInboxId } from "../credential.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { reject } from "./common.ts";

/** Throws CommitRejectedError `TooManyMembers` for a membership of more inboxes than a tree has leaves. */
export function checkMemberCount({ members }: GroupState): void {
  const { maxLeaves } = MLS_LIMITS;
  if (members.size > maxLeaves) reject("TooManyMembers", `a group has at most ${maxLeaves} members`);
}

function checkInstallationCount(leaves: readonly LeafNode[]): void {
  const { maxCommitInstallations } = XMTP_LIMITS;
  const counts = new Map<string | undefined, number>();
  for (const leaf of leaves) {
    const inboxId = leafInboxId(leaf);
    const count = (counts.get(inboxId) ?? 0) + 1;
    if (count > maxCommitInstallations) {
      reject("TooManyInstallations", `a commit touches over ${maxCommitInstallations} installations of one inbox`);
    }
    counts.set(inboxId, count);
  }
}

/**
 * Bounds what one commit of a member makes everybody look up and keep; `XMTP_LIMITS` has the reasons. `changed`: inboxes
 * whose entry is new, another one or gone. Throws CommitRejectedError `TooManyInboxes`, `TooManyInstallations`
 * or `TooManyMembers`.
 */
export function checkCommitSize(commit: VerifiedCommit, changed: readonly string[], after: GroupState): void {
  const { maxCommitInboxes } = XMTP_LIMITS;
  if (changed.length > maxCommitInboxes) {
    reject("TooManyInboxes", `a commit touches ${changed.length} inboxes; the limit is ${maxCommitInboxes}`);
  }
  checkInstallationCount(commit.added.map(({ keyPackage }) => keyPackage.leafNode));
  checkInstallationCount(commit.removed.map(({ leafNode }) => leafNode));
  checkMemberCount(after);
}
