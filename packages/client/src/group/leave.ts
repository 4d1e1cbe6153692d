import { clientError } from "../errors.ts";
import type { GroupCore } from "./group-core.ts";
import { sendLeaveRequest } from "./send.ts";

/**
 * Asks to be taken out of the group, with all installations of this inbox: the client of a super admin does it as soon as
 * it reads the request. Nothing happens when that was asked for already.
 *
 * @throws NOT_PERMITTED for a super admin, whom nobody can remove; what sending throws.
 */
export async function leaveGroup(core: GroupCore, signal?: AbortSignal): Promise<void> {
  core.requireActive();
  const { inboxId } = core.context.own;
  if (core.state.superAdmins.has(inboxId)) {
    throw clientError("NOT_PERMITTED", "a super admin cannot leave; hand the role to another member first");
  }
  if (core.context.store.leaveRequests.get(core.groupId, inboxId) !== undefined) return;
  await sendLeaveRequest(core, signal);
}
