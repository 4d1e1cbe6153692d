import type { GroupView } from "@latchkey/client/web";

const KEY = "latchkey-read-";

/** Notes that messages up to that position in the log were seen on this device. */
export function markRead(groupId: string, sequenceId: bigint): void {
  if (sequenceId > readUntil(groupId)) localStorage.setItem(KEY + groupId, String(sequenceId));
}

function readUntil(groupId: string): bigint {
  const kept = localStorage.getItem(KEY + groupId) ?? "";
  return /^\d{1,19}$/.test(kept) ? BigInt(kept) : 0n;
}

/** 1 where the newest message of somebody else was not seen yet, else 0. */
export function newMessages({ id, lastMessage }: GroupView, ownId: string): number {
  if (lastMessage === undefined || lastMessage.senderInboxId === ownId) return 0;
  return lastMessage.sequenceId > readUntil(id) ? 1 : 0;
}
