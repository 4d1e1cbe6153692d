import { commitChange } from "../group/commit.ts";
import type { GroupCore } from "../group/group-core.ts";
import { mayBeRemoved } from "../group/installations.ts";
import { planRemoveMembers } from "../group/membership.ts";
import type { Duty } from "./duty.ts";

/** Members that asked to be removed and that this installation may remove: it belongs to a super admin, and they do not. */
function membersToRemove(core: GroupCore): string[] {
  const requests = core.context.store.leaveRequests.list(core.groupId);
  if (requests.length === 0 || !core.mayWrite) return [];
  const { members, superAdmins } = core.state;
  if (!superAdmins.has(core.context.own.inboxId)) return [];
  return requests
    .map(({ inboxId }) => inboxId)
    .filter((id) => members.has(id) && !superAdmins.has(id) && mayBeRemoved(core, id));
}

/** Removes the members that asked for it, which renews no invite; for the client of a super admin. */
export const LEAVE_REQUESTS: Duty = {
  name: "leave-requests",
  run: async (core, signal) => {
    if (membersToRemove(core).length === 0) return;
    await commitChange(core, async () => planRemoveMembers(core, membersToRemove(core)), signal);
  },
};
