import type { AppData } from "@latchkey/mls";
import { membershipIdentities, validateWelcome, type TreeMember } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";
import type { IdentitiesAt } from "../identity/identity-view.ts";
import { judgeEnvelope } from "../identity/judge-envelope.ts";

/**
 * Checks a group that we are about to be in: every leaf is an installation of the inbox it names, and of a member. Whoever
 * adds us may have left devices out, and whoever is listed may have none in the group: `members()` says so.
 *
 * `envelopeNs` is the node's time of the Welcome: an update that is missing then may still come (IDN-02).
 *
 * @throws COMMIT_REJECTED with the rule; IDENTITY_PENDING; errors of the network.
 */
export async function checkMembership(
  context: ClientContext,
  group: { readonly appData: AppData; members(): Iterable<TreeMember> },
  envelopeNs: bigint,
  signal?: AbortSignal,
): Promise<void> {
  const { appData } = group;
  const needs = { points: membershipIdentities(appData), envelopeNs };
  const judge = ({ identity }: IdentitiesAt) => validateWelcome({ appData, members: group.members(), identity });
  await judgeEnvelope(context.directory, needs, judge, signal);
}
