import type { OutboxRecord } from "../store/records.ts";
import type { GroupCore } from "./group-core.ts";
import { messageHash } from "./own-echo.ts";

/**
 * Encrypts a plaintext for the present epoch and queues it; inside of `exclusive`. The message key is spent on disk in
 * the same transaction, before anything leaves: no crash makes us use it twice.
 */
export async function enqueue(
  core: GroupCore,
  row: Pick<OutboxRecord, "groupId" | "queueId" | "messageId" | "plaintext">,
): Promise<OutboxRecord> {
  // A member's proposal alone changes nothing here: members commit what they propose. One that waits for a commit that
  // never came must not silence the group.
  const { message, change } = await core.mls.encryptApplication(row.plaintext, { despiteProposals: true });
  const queued = { ...row, epoch: core.mls.epoch, message, messageHash: messageHash(core.context, message) };
  core.step({ change, write: (tables) => tables.outbox.put(queued) });
  return queued;
}

/**
 * The queued messages, those of an epoch that has ended encrypted anew, for whom was removed meanwhile shall not read
 * them; inside of `exclusive`. The message id stays, so a reader who got both versions shows one.
 */
export async function renewedOutbox(core: GroupCore): Promise<OutboxRecord[]> {
  const renewed: OutboxRecord[] = [];
  for (const row of core.context.store.outbox.list(core.groupId)) {
    renewed.push(row.epoch < core.mls.epoch ? await enqueue(core, row) : row);
  }
  return renewed;
}
