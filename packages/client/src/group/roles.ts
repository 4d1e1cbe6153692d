import { adminListDelta, COMPONENT, superAdminListDelta } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import type { Role } from "./absent-roles.ts";
import { planCommit } from "./plan-commit.ts";
import { commitChange } from "./commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";

function planRole(core: GroupCore, op: "insert" | "remove", inboxId: string, role: Role): CommitPlan {
  const isSuper = role === "super_admin";
  const componentId = isSuper ? COMPONENT.superAdminList : COMPONENT.adminList;
  const update = (isSuper ? superAdminListDelta : adminListDelta)([{ op, inboxId }]);
  return planCommit(core, [{ componentId, update }]);
}

/**
 * Gives a member a role. XMTP's rules allow a role for anybody; this client gives it to members only, so that nobody comes
 * back later with a role that the group has forgotten.
 *
 * @throws NOT_PERMITTED for somebody who is no member, and without the right.
 */
export async function promote(core: GroupCore, inboxId: string, role: Role, signal?: AbortSignal): Promise<void> {
  const plan = async () => {
    const { admins, superAdmins, members } = core.state;
    if (!members.has(inboxId)) {
      throw clientError("NOT_PERMITTED", "only a member can have a role; add the inbox to the group first");
    }
    const isThere = (role === "super_admin" ? superAdmins : admins).has(inboxId);
    return isThere ? undefined : planRole(core, "insert", inboxId, role);
  };
  await commitChange(core, plan, signal);
}

/**
 * Takes a role away, also from somebody who is no member.
 *
 * @throws NOT_PERMITTED for the last super admin, and without the right.
 */
export async function demote(core: GroupCore, inboxId: string, role: Role, signal?: AbortSignal): Promise<void> {
  const plan = async () => {
    const { admins, superAdmins, members } = core.state;
    const holders = role === "super_admin" ? superAdmins : admins;
    if (!holders.has(inboxId)) return undefined;
    if (role === "super_admin" && ![...holders].some((other) => other !== inboxId && members.has(other))) {
      throw clientError("NOT_PERMITTED", "the last super admin keeps the role; make another member super admin first");
    }
    return planRole(core, "remove", inboxId, role);
  };
  await commitChange(core, plan, signal);
}

/**
 * Takes the role from super admins who are to be removed, in a commit of its own: a commit that removes a super admin is
 * refused by every member.
 *
 * @throws NOT_PERMITTED when this inbox is no super admin, or nobody may remove members.
 */
export async function demoteBeforeRemoval(
  core: GroupCore,
  inboxIds: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (!inboxIds.some((inboxId) => core.state.superAdmins.has(inboxId))) return;
  const { inboxId: own } = core.context.own;
  const plan = async () => {
    const { superAdmins, members, permissions } = core.state;
    const leaving = [...new Set(inboxIds)].filter((id) => superAdmins.has(id) && members.has(id));
    // Oneself is refused by the removal, before anybody has lost a role.
    if (leaving.length === 0 || inboxIds.includes(own)) return undefined;
    if (!superAdmins.has(own) || permissions.removeMember === "deny") {
      throw clientError("NOT_PERMITTED", "a super admin can be removed by another super admin only");
    }
    const mutations = leaving.map((inboxId) => ({ op: "remove", inboxId }) as const);
    return planCommit(core, [{ componentId: COMPONENT.superAdminList, update: superAdminListDelta(mutations) }]);
  };
  await commitChange(core, plan, signal);
}
