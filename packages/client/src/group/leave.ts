import { encodeLeaveRequest } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { reportInBackground } from "../defects.ts";
import { clientError } from "../errors.ts";
import { commitChange } from "./commit.ts";
import { deleteExpired } from "./disappearing.ts";
import { runFollowUps } from "./follow-ups.ts";
import type { GroupCore } from "./group-core.ts";
import { planRemoveMembers } from "./membership.ts";
import { sendContent } from "./send.ts";
import { tryFinishRenewal } from "../invite/renewal.ts";

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
  await sendContent(core, encodeLeaveRequest, signal);
}

/**
 * What is left to do after reading: messages to forget, Welcomes and blobs, and, for a super admin, finishing the renewal
 * of an invite and taking out who asked for it, which renews no invite. A failure fails nothing else: all is tried again
 * with the next sync.
 */
export async function runDuties(core: GroupCore, signal?: AbortSignal): Promise<void> {
  deleteExpired(core);
  await runFollowUps(core, signal);
  await tryFinishRenewal(core, "due", signal);
  if (leaversToRemove(core).length === 0) return;
  try {
    await commitChange(core, async () => planRemoveMembers(core, leaversToRemove(core)), signal);
  } catch (error) {
    if (isAborted(signal)) throw error;
    reportInBackground(core.context, core.groupId, error);
  }
}

function leaversToRemove(core: GroupCore): string[] {
  const requests = core.context.store.leaveRequests.list(core.groupId);
  if (requests.length === 0 || !core.mayWrite) return [];
  const { members, superAdmins } = core.state;
  if (!superAdmins.has(core.context.own.inboxId)) return [];
  return requests.map(({ inboxId }) => inboxId).filter((id) => members.has(id) && !superAdmins.has(id));
}
