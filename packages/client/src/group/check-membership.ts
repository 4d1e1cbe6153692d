import { checkWelcomedGroup, membershipIdentities, validateWelcome, type WelcomedGroup } from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import type { IdentitiesAt } from "../identity/identity-view.ts";
import { judgeEnvelope } from "../identity/judge-envelope.ts";

/**
 * Checks a group that we are about to be in: every leaf is an installation of the inbox it names, and of a member. Whoever
 * adds us may have left devices out, and whoever is listed may have none in the group: `members()` says so.
 * What its bytes decide comes before the look-ups, of which there are as many as it names inboxes.
 *
 * `envelopeNs` is the node's time of the Welcome: an update that is missing then may still come (IDN-02).
 *
 * @throws COMMIT_REJECTED with the rule; IDENTITY_PENDING; errors of the network.
 */
export async function checkMembership(
  context: ClientContext,
  group: WelcomedGroup,
  envelopeNs: bigint,
  signal?: AbortSignal,
): Promise<void> {
  checkWelcomedGroup(group);
  const needs = { points: membershipIdentities(group.appData), envelopeNs };
  const judge = ({ identity }: IdentitiesAt) => validateWelcome(group, identity);
  await judgeEnvelope(context.directory, needs, judge, signal);
}
