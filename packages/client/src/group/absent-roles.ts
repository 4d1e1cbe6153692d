import {
  adminListDelta,
  appDataUpdate,
  appDataUpdatesOf,
  applyAppDataUpdates,
  COMPONENT,
  mergeAppData,
  permissionOf,
  readGroupState,
  type Permission,
} from "@latchkey/xmtp";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";

/** What a member may be beside being a member. */
export type Role = Exclude<Permission, "member">;

/** Somebody with a role who is no member at present. */
export interface AbsentRole {
  readonly inboxId: string;
  readonly permission: Role;
}

/**
 * A super admin's commit takes the admin role from everybody who is no member behind it: from those whom it removes, and
 * from those whom an admin removed, who may not write the list. So nobody comes back as admin unsaid.
 */
export function withoutAbsentAdmins(core: GroupCore, plan: CommitPlan): CommitPlan {
  const { superAdmins } = core.state;
  if (!superAdmins.has(core.context.own.inboxId)) return plan;
  const { appData } = core.mls;
  const { admins, members } = readGroupState(mergeAppData(appData, plan.appData ?? new Map()));
  const absent = [...admins].filter((inboxId) => !members.has(inboxId));
  if (absent.length === 0) return plan;
  const update = adminListDelta(absent.map((inboxId) => ({ op: "remove", inboxId })));
  const proposals = [...plan.proposals, appDataUpdate(COMPONENT.adminList, update)];
  const updates = appDataUpdatesOf({ proposals: proposals.map((proposal) => ({ proposal })) });
  return { ...plan, proposals, appData: applyAppDataUpdates(appData, updates) };
}

/** Roles of those who are no members: they have them again when they come back. */
export function absentRoles(core: GroupCore): AbsentRole[] {
  const { state } = core;
  const holders = new Set([...state.superAdmins, ...state.admins]);
  return [...holders]
    .filter((inboxId) => !state.members.has(inboxId))
    .flatMap((inboxId) => {
      const permission = permissionOf(state, inboxId);
      return permission === "member" ? [] : [{ inboxId, permission }];
    });
}
