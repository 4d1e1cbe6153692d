import type { VerifiedGroupInfo } from "@latchkey/mls";
import { countUses, permissionOf, readGroupState, type ExternalCommitPolicyV1, type Permission } from "@latchkey/xmtp";
import type { GroupsContext } from "../group/group-registry.ts";
import { mistypedOr } from "../invite/links/mistyped.ts";
import { findInviteOrImage } from "../invite/read-invite.ts";
import { fetchInTurn, servicesToAsk } from "../invite/service.ts";
import { chooseCandidate, newJoinRequest } from "./prepare.ts";

/** What an invite leads to, as the group itself says. Texts are of strangers: show them as such. */
export interface InvitePreview {
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Address of the group's picture, which nothing here loads: its server would learn of the look. */
  readonly imageUrl: string | undefined;
  readonly memberCount: number;
  /** Those who will see who joins, and read what is written from then on. */
  readonly members: readonly { readonly inboxId: string; readonly permission: Permission }[];
  readonly installationCount: number;
  /** End of the invite by the group's policy; undefined for none. */
  readonly expiresAtNs: bigint | undefined;
  /** How many more may be in the group by this invite at a time; undefined for any number. */
  readonly usesLeft: number | undefined;
  /** The invite service, which sees that somebody asks for this invite, and from which address. */
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
  context: GroupsContext,
  invite: string | Uint8Array,
  signal: AbortSignal | undefined,
): Promise<InvitePreview> {
  const { payload, checksum } = await findInviteOrImage(invite, context.readQr, signal);
  const services = await servicesToAsk(context, payload, signal);
  const choose = async () => {
    const { blobs = [] } = await fetchInTurn(context, services, payload)({ signal });
    return chooseCandidate(newJoinRequest(context, payload), blobs, signal);
  };
  const { info, policy } = await choose().catch((error: unknown) => {
    throw mistypedOr(error, checksum);
  });
  return previewOf(info, policy, services[0].url);
}

/** What a verified state of a group says of it. */
export function previewOf(
  info: VerifiedGroupInfo,
  { expiresAtNs, maxUses }: ExternalCommitPolicyV1,
  serviceUrl: string,
): InvitePreview {
  const state = readGroupState(info.appData);
  return {
    name: state.name,
    description: state.description,
    imageUrl: state.imageUrl,
    memberCount: state.members.size,
    members: [...state.members.keys()].map((inboxId) => ({ inboxId, permission: permissionOf(state, inboxId) })),
    installationCount: info.memberCount,
    expiresAtNs: expiresAtNs === 0n ? undefined : expiresAtNs,
    usesLeft: maxUses === 0 ? undefined : Math.max(0, maxUses - countUses(state)),
    serviceUrl,
  };
}
