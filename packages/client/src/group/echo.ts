import { toHex } from "@latchkey/mls";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { MessageIdRecord, MessageRecord, OutboxRecord } from "../store/records.ts";
import { readPages, type Envelope } from "../transport/transport.ts";
import type { GroupCore } from "./group-core.ts";
import { newBackoff, readLog, syncLocked } from "./sync.ts";
import { keptId } from "./message-ids.ts";
import { messageRecord } from "./message.ts";
import { NOTHING } from "./outbox.ts";
import { messageHash } from "./own-echo.ts";
import { tellFailed } from "./queue.ts";
import { copiesInReach } from "./sent-copies.ts";

/** What became of a message that was published. */
export type Echo =
  /** It stands in the log. */
  | { readonly kind: "sent"; readonly message: MessageRecord }
  /** It will never leave. */
  | { readonly kind: "failed"; readonly code: string }
  /** It was not found yet. */
  | { readonly kind: "unknown"; readonly error: unknown };

/**
 * Looks for a queued message in the log; inside of `exclusive`. Behind an envelope that waits for an identity update it is
 * looked for ahead, so that nobody keeps others from sending; it is kept when the log is read as far. One that no member
 * can read any more, because too many commits came in between, is said again.
 */
export async function echoOf(core: GroupCore, queued: OutboxRecord, signal: AbortSignal | undefined): Promise<Echo> {
  const backoff = newBackoff(core.context);
  for (let attempt = 0; attempt < CLIENT_LIMITS.maxReadBackAttempts; attempt++) {
    await readLog(core, signal);
    const known = settled(core, queued);
    if (known !== undefined) return known;
    const ahead = core.identityWait === undefined ? undefined : await findAhead(core, queued, signal);
    if (ahead !== undefined) return { kind: "sent", message: ahead };
    const row = core.context.store.outbox.get(core.groupId, queued.queueId);
    if (row !== undefined && copiesInReach(core, row).length === 0) await syncLocked(core, signal);
    else await core.context.clock.sleep(backoff.nextMs(), signal);
  }
  const text = "the node took a message but does not show it; it is looked for again later";
  return settled(core, queued) ?? { kind: "unknown", error: clientError("NODE_UNREACHABLE", text) };
}

function settled(core: GroupCore, { queueId, messageId, plaintext }: OutboxRecord): Echo | undefined {
  const { context, groupId } = core;
  const kept = keptId(context, groupId, { senderInstallationId: context.own.installationId, messageId });
  if (kept !== undefined) return { kind: "sent", message: ownMessage(core, kept, plaintext) };
  const row = context.store.outbox.get(groupId, queueId);
  if (row?.state === "waiting") return undefined;
  tellFailed(core);
  return { kind: "failed", code: row?.errorCode ?? "NOT_A_MEMBER" };
}

/** An own message that the log has; built anew where it has disappeared since. */
export function ownMessage(core: GroupCore, { id, sentAtNs }: MessageIdRecord, plaintext: Uint8Array): MessageRecord {
  const kept = core.context.store.messages.get(core.groupId, id);
  return kept ?? messageRecord(core, { id, createdNs: sentAtNs, data: NOTHING }, core.context.own, plaintext);
}

/** The message as the log has it behind the envelope that waits; nothing of the log is dealt with. */
async function findAhead(
  core: GroupCore,
  queued: OutboxRecord,
  signal: AbortSignal | undefined,
): Promise<MessageRecord | undefined> {
  const { context, mls, record } = core;
  const { transport } = context;
  const row = context.store.outbox.get(core.groupId, queued.queueId) ?? queued;
  const hashes = new Set(copiesInReach(core, row).map(({ hash }) => toHex(hash)));
  const query: typeof transport.queryGroupMessages = (at, stop) => transport.queryGroupMessages(at, stop);
  let left: number = CLIENT_LIMITS.maxLookAhead;
  for await (const page of readPages(query, { topic: mls.groupId, afterId: record.cursor }, signal)) {
    const found = page.find((envelope) => hashes.has(hashOf(core, envelope)));
    if (found !== undefined) {
      core.seenAhead.add(hashOf(core, found));
      return messageRecord(core, found, context.own, row.plaintext);
    }
    left -= page.length;
    if (left <= 0) return undefined;
  }
  return undefined;
}

function hashOf({ context }: GroupCore, { data }: Envelope): string {
  return toHex(messageHash(context, data));
}
