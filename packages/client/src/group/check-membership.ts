import type { AppData } from "@latchkey/mls";
import { membershipIdentities, validateWelcome, type TreeMember } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";

/**
 * Checks a group that we are about to be in: every leaf is an installation of the inbox it names, and no installation
 * of a member is left out unsaid. Without it a stranger could show us a group of people who never saw it.
 *
 * @throws COMMIT_REJECTED with the rule; errors of the network.
 */
export async function checkMembership(
  context: ClientContext,
  group: { readonly appData: AppData; members(): Iterable<TreeMember> },
  signal?: AbortSignal,
): Promise<void> {
  const { appData } = group;
  const identity = await context.directory.lookup(membershipIdentities(appData), { signal });
  validateWelcome({ appData, members: group.members(), identity });
}
