import { toHex } from "@latchkey/mls";
import { followsExternalCommits, permissionOf, type MembershipEntry } from "@latchkey/xmtp";
import type { GroupCore } from "../group/group-core.ts";
import { leftOutOf } from "../group/installations.ts";
import { senderOf } from "../group/message.ts";
import type { AdmissionRecord } from "../store/records.ts";
import type { Member } from "./views.ts";

/** How a member came in: the invite that the group's state names, and the time if this installation saw the join. */
function admissionOf({ admittedViaExternalGroupId: tag }: MembershipEntry, seen: AdmissionRecord | undefined) {
  const admittedVia = tag.length === 0 ? undefined : toHex(tag);
  const isSame = seen !== undefined && admittedVia === toHex(seen.externalGroupId);
  return {
    joinedByInvite: admittedVia !== undefined,
    admittedVia,
    admittedAtNs: isSame ? seen.admittedAtNs : undefined,
  };
}

/** Members by inbox, in ascending order of inbox id. O(installations). */
export function membersOf(core: GroupCore): Member[] {
  const { state, context, groupId, mls } = core;
  const seen = new Map(context.store.admissions.listAfter(groupId, 0n).map((join) => [join.inboxId, join]));
  const leaves = new Map<string, string[]>();
  const behind = new Set<string>();
  for (const { leafNode } of mls.members()) {
    const { inboxId, installationId } = senderOf(leafNode);
    leaves.set(inboxId, [...(leaves.get(inboxId) ?? []), installationId]);
    if (!followsExternalCommits(leafNode)) behind.add(inboxId);
  }
  return [...state.members].map(([inboxId, entry]) => ({
    ...admissionOf(entry, seen.get(inboxId)),
    inboxId,
    installations: leaves.get(inboxId) ?? [],
    ...leftOutOf(core, inboxId, entry),
    permission: permissionOf(state, inboxId),
    followsInvites: !behind.has(inboxId),
  }));
}
