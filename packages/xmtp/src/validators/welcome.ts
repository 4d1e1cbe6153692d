import type { AppData } from "@latchkey/mls";
import { claimOf, readState, reject, resolve, type IdentityResolver, type TreeMember } from "./common.ts";
import { checkProtocolFloor } from "./member-commit.ts";

/**
 * Judges the group that a Welcome leads to: every leaf is an installation of an inbox of the membership at its recorded
 * point. An installation that is no leaf may be missing unsaid: libxmtp leaves one out and lists none as failed. O(leaves).
 * Throws CommitRejectedError `InvalidGroupMembership`, `MissingIdentityUpdate`, `ComponentSource` or `ProtocolVersionTooLow`.
 */
export function validateWelcome(input: {
  readonly appData: AppData;
  readonly members: Iterable<TreeMember>;
  readonly identity: IdentityResolver;
}): void {
  const rule = "InvalidGroupMembership";
  const state = readState(input.appData);
  checkProtocolFloor(state);
  const leaves = new Map<string, Set<string>>();
  for (const { leafNode } of input.members) {
    const { inboxId, installationId } = claimOf(leafNode, rule);
    const known = leaves.get(inboxId);
    if (known === undefined) leaves.set(inboxId, new Set([installationId]));
    else known.add(installationId);
  }
  for (const inboxId of leaves.keys()) {
    if (!state.members.has(inboxId)) reject(rule, "the group holds a leaf of an inbox that is not in its membership");
  }
  for (const [inboxId, { sequenceId }] of state.members) {
    const inbox = resolve(input.identity, inboxId, sequenceId);
    const present = leaves.get(inboxId) ?? new Set<string>();
    if ([...present].some((id) => !inbox.hasInstallation(id))) {
      reject(rule, "the group holds a leaf that is no installation of its inbox");
    }
  }
}
