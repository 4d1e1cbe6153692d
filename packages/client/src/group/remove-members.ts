import { equalBytes } from "@latchkey/mls";
import type { InviteRotation } from "@latchkey/xmtp";
import { activePolicy } from "./active-policy.ts";
import { commitChange } from "./commit.ts";
import type { GroupCore } from "./group-core.ts";
import { planRemoveMembers } from "./membership.ts";
import { beginRenewal, openRenewal } from "./renewal-journal.ts";
import { tryFinishRenewal } from "./renewal.ts";

/** The result of a removal, without the invite in force afterwards. */
export interface RemovalOutcome {
  /** Those who were members and are not any more. */
  readonly removed: readonly string[];
  /**
   * Members who came in by an invite between the call and its end, such as somebody to whom the removed handed the link.
   * Look at them: nobody has removed them.
   */
  readonly joinedMeanwhile: readonly string[];
  /**
   * True when an invite is in force that the removed had before: every member can read its key in the group's state, so
   * they may come back by it, or hand it on.
   */
  readonly mayHoldLiveInvite: boolean;
  /**
   * True when the invite was turned off and the new one could not be made yet: this client makes it with a later
   * synchronization, or the client of another super admin does.
   */
  readonly renewalPending: boolean;
}

/** How members are removed. */
export interface RemoveOptions {
  /**
   * What becomes of an invite in force. `key`: a fresh key, so that links from before open nothing; `slot`: also a fresh
   * slot, which the removed cannot find to fill with junk, and a fresh count of uses; `false`: it stays, and the removed
   * can come back by it. Default: `slot` where the client has `renewOnRemoval`, else `false`.
   */
  readonly rotateInvite?: InviteRotation | false;
  readonly signal?: AbortSignal;
}

/**
 * Removes inboxes with all their installations. With `rotateInvite` the removing commit turns the invite off, and a second
 * commit, whose epoch the removed cannot read, turns it on with a fresh key. The invite is a super admin's to change: an
 * admin removes without it, and the result says so.
 *
 * @throws NOT_PERMITTED for oneself, and without the right to remove: then nobody is removed. What fails once the removal
 * is in force is not thrown, see `renewalPending`.
 */
export async function removeMembers(
  core: GroupCore,
  inboxIds: readonly string[],
  options: RemoveOptions = {},
): Promise<RemovalOutcome> {
  const { signal, rotateInvite: rotation = core.context.renewOnRemoval === true ? "slot" : false } = options;
  const before = new Set(core.state.members.keys());
  let removed: string[] = [];
  let key: Uint8Array | undefined;
  const plan = async () => {
    const { members, superAdmins } = core.state;
    const policy = activePolicy(core);
    removed = [...new Set(inboxIds)].filter((inboxId) => members.has(inboxId));
    key = policy?.symmetricKey?.material;
    const mayRenew = policy !== undefined && superAdmins.has(core.context.own.inboxId);
    if (rotation === false || !mayRenew) return planRemoveMembers(core, inboxIds, [], signal);
    const { payload, template } = beginRenewal(policy, rotation);
    const planned = await planRemoveMembers(core, inboxIds, [payload], signal);
    return planned && { ...planned, renewal: template };
  };
  await commitChange(core, plan, signal);
  if (rotation !== false) await tryFinishRenewal(core, "now", signal);
  return {
    removed,
    joinedMeanwhile: joinersSince(core, before, removed),
    mayHoldLiveInvite: removed.length > 0 && key !== undefined && isInForce(core, key),
    renewalPending: rotation !== false && openRenewal(core) !== undefined,
  };
}

/** Whether people can join by an invite of that key. */
function isInForce(core: GroupCore, key: Uint8Array): boolean {
  const policy = activePolicy(core);
  if (policy?.symmetricKey === undefined || !equalBytes(policy.symmetricKey.material, key)) return false;
  return policy.expiresAtNs === 0n || policy.expiresAtNs > core.context.time.bestNs();
}

/** Members by invite who were not among those before, or were removed and came back. */
function joinersSince(core: GroupCore, before: ReadonlySet<string>, removed: readonly string[]): string[] {
  return [...core.state.members].flatMap(([inboxId, { admittedViaExternalGroupId: tag }]) => {
    const isNew = !before.has(inboxId) || removed.includes(inboxId);
    return tag.length > 0 && isNew ? [inboxId] : [];
  });
}
