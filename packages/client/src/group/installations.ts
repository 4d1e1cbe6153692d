import { toHex, type LeafIndex } from "@latchkey/mls";
import { FOLLOWS_EXTERNAL_COMMITS, type AssociationState, type MembershipEntry } from "@latchkey/xmtp";
import type { KeyPackageFault } from "../identity/key-package-faults.ts";
import type { AddTarget } from "./adds.ts";
import type { GroupCore } from "./group-core.ts";

/** An installation of a member that is not in the group. */
export interface LeftOutInstallation {
  readonly installationId: string;
  /** Why, where this client has tried to add it. */
  readonly fault: KeyPackageFault | undefined;
  /**
   * True when a commit adds it as soon as its key package can be used. False when a member's client refuses that: then
   * the device registers a new installation, or the inbox is removed and added again.
   */
  readonly canBeAddedLater: boolean;
}

/**
 * Whether all members accept the late addition of an installation: at an entry whose sequence id stays as it is. XMTP's
 * own library refuses it (NAT-01), so one leaf without our sign is enough for false. O(1).
 */
export function acceptsLateAdditions(core: GroupCore): boolean {
  return core.mls.isSupportedByAll(FOLLOWS_EXTERNAL_COMMITS);
}

/**
 * Whether all members accept that an inbox leaves the membership. XMTP's own library wants a Remove of a leaf of it (NAT-02),
 * so an inbox whose devices were all revoked stays where one leaf lacks our sign.
 */
export function mayBeRemoved(core: GroupCore, inboxId: string): boolean {
  return acceptsLateAdditions(core) || core.mls.leavesOf(inboxId).length > 0;
}

/** What a commit of this member that adds leaves is tried against; `force` lets in who cannot follow joins by invite. */
export function addTargetOf(
  core: GroupCore,
  options: { readonly removed?: readonly LeafIndex[]; readonly force?: boolean } = {},
): AddTarget {
  const hasInvite = core.state.policy?.allowExternalCommit === true;
  return {
    tryAdds: (adds) => core.mls.tryAdds(adds),
    hasInvite: hasInvite && options.force !== true,
    removed: options.removed ?? [],
  };
}

/** Installations of an inbox in one of its states that have no leaf in the group. */
export function withoutLeaf(core: GroupCore, state: AssociationState | undefined): string[] {
  if (state === undefined) return [];
  const present = new Set(core.mls.leavesOf(state.inboxId).map(({ leafNode }) => toHex(leafNode.signatureKey)));
  return state.installations().filter((id) => !present.has(id));
}

/**
 * Installations of members that are no leaves at the recorded point of their identity log. When such an inbox is removed,
 * libxmtp expects a Remove for each, unless an entry that stays lists it as failed (NAT-01).
 */
export async function leavesToExcuse(
  core: GroupCore,
  inboxIds: readonly string[],
  signal?: AbortSignal,
): Promise<string[]> {
  if (acceptsLateAdditions(core)) return [];
  const { members } = core.state;
  const points = inboxIds.flatMap((inboxId) => {
    const entry = members.get(inboxId);
    return entry === undefined ? [] : [{ inboxId, sequenceId: entry.sequenceId }];
  });
  const { stateAfter } = await core.context.directory.lookup(points, { signal });
  return points.flatMap(({ inboxId, sequenceId }) => withoutLeaf(core, stateAfter(inboxId, sequenceId)));
}

/** The installations that a member's entry lists as failed, without those that its identity log, where it is in memory, does not name. */
export function leftOutOf(core: GroupCore, inboxId: string, entry: MembershipEntry) {
  const { failedInstallations: listed, sequenceId } = entry;
  const state = listed.length === 0 ? undefined : core.context.directory.known(inboxId, sequenceId);
  const present = state === undefined ? listed : withoutLeaf(core, state).filter((id) => listed.includes(id));
  const canBeAddedLater = acceptsLateAdditions(core);
  const leftOut = present.map((installationId): LeftOutInstallation => {
    const fault = core.context.keyPackageFaults.of(core.groupId, installationId);
    return { installationId, fault, canBeAddedLater };
  });
  return { failedInstallations: present, leftOut };
}
