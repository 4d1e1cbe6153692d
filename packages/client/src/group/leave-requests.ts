import { leaveRequestCodec } from "@latchkey/xmtp";
import type { MessageRecord } from "../store/records.ts";
import type { Tables } from "../store/store.ts";
import type { GroupCore } from "./group-core.ts";

/** Notes who asks to be taken out, in the transaction that keeps the message. */
export function noteLeaveRequest({ leaveRequests }: Tables, message: MessageRecord): void {
  if (message.contentType !== leaveRequestCodec.type) return;
  leaveRequests.put({ groupId: message.groupId, inboxId: message.senderInboxId });
}

/**
 * Forgets the requests of those who are out, before anything that follows is read: if they come back, they do not want to
 * leave any more.
 */
export function forgetLeavers(core: GroupCore): void {
  const requests = core.context.store.leaveRequests.list(core.groupId);
  if (requests.length === 0) return;
  const { members } = core.state;
  const gone = requests.filter(({ inboxId }) => !members.has(inboxId));
  if (gone.length === 0) return;
  core.step({
    write: ({ leaveRequests }) => {
      for (const { groupId, inboxId } of gone) leaveRequests.delete(groupId, inboxId);
    },
  });
}
