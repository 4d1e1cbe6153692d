import { countUses, readGroupState } from "@latchkey/xmtp";
import type { ClientContext } from "../context.ts";
import { requireService } from "../invite/invite.ts";
import { readInvite } from "../invite/read-invite.ts";
import { chooseCandidate, newJoinRequest } from "./prepare.ts";

/** What an invite leads to, as the group itself says. Texts are of strangers: show them as such. */
export interface InvitePreview {
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly memberCount: number;
  readonly installationCount: number;
  /** End of the invite by the group's policy; undefined for none. */
  readonly expiresAtNs: bigint | undefined;
  /** How many more may be in the group by this invite at a time; undefined for any number. */
  readonly usesLeft: number | undefined;
  readonly serviceUrl: string;
}

/**
 * Looks at the group that an invite leads to, without writing anything anywhere: fetches and verifies as a join would,
 * and stops there. Nobody in the group learns of it; the invite service sees a request, the node sees that this inbox's
 * address reads the group's log. What is shown may have changed by the time of the join.
 *
 * @throws as `joinByInvite` does before its commit.
 */
export async function previewInvite(
  context: ClientContext,
  invite: string | Uint8Array,
  signal: AbortSignal | undefined,
): Promise<InvitePreview> {
  const payload = readInvite(invite, context.readQr);
  const serviceUrl = requireService(payload, context.inviteServiceUrl);
  const slot = { serviceUrl, externalGroupId: payload.externalGroupId };
  const { blobs = [] } = await context.slots.fetch(slot, { signal });
  const { info, policy } = await chooseCandidate(newJoinRequest(context, payload), blobs, signal);
  const state = readGroupState(info.appData);
  const { expiresAtNs, maxUses } = policy;
  return {
    name: state.name,
    description: state.description,
    memberCount: state.members.size,
    installationCount: info.memberCount,
    expiresAtNs: expiresAtNs === 0n ? undefined : expiresAtNs,
    usesLeft: maxUses === 0 ? undefined : Math.max(0, maxUses - countUses(state)),
    serviceUrl,
  };
}
