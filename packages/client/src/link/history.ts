import { concatBytes } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { keepBrought } from "../group/message-ids.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { LinkChannel } from "./channel.ts";
import { decodeHistory, encodeBrought, type BroughtMessage } from "./history-codec.ts";
import type { BroughtHistory } from "./options.ts";

const { historyPartBytes, historyWindow, maxHistoryBytes, linkArrivalMs } = CLIENT_LIMITS;

/** The last messages of a group, newest last, with the time at which each is to disappear. */
function lastMessages({ context, groupId }: GroupCore, count: number): BroughtMessage[] {
  const { store } = context;
  const ends = new Map(store.expiries.list(groupId).map(({ id, expiresAtNs }) => [id, expiresAtNs]));
  return store.messages
    .list(groupId)
    .slice(-count)
    .map((message) => ({ message, expiresAtNs: ends.get(message.id) ?? 0n }));
}

/** Messages in parts, the groups in which somebody wrote last first, 32 MiB in all; a message fills no part alone. */
function* partsOf(
  context: GroupsContext,
  count: number,
): Generator<{ readonly bytes: Uint8Array; readonly count: number }> {
  const groups = context.groups
    .all()
    .map((core) => lastMessages(core, count))
    .sort((a, b) => ((a.at(-1)?.message.sentAtNs ?? 0n) > (b.at(-1)?.message.sentAtNs ?? 0n) ? -1 : 1));
  let part: Uint8Array[] = [];
  let bytes = 0;
  let all = 0;
  for (const brought of groups.flat()) {
    const encoded = encodeBrought(brought);
    if (encoded.length > historyPartBytes) continue;
    if (all + encoded.length > maxHistoryBytes) break;
    if (bytes + encoded.length > historyPartBytes) {
      yield { bytes: concatBytes(...part), count: part.length };
      [part, bytes] = [[], 0];
    }
    part.push(encoded);
    bytes += encoded.length;
    all += encoded.length;
  }
  if (part.length > 0) yield { bytes: concatBytes(...part), count: part.length };
}

/**
 * Brings the last messages of each group to the new device, once that has opened its groups: a window of parts, each
 * acknowledged. A break keeps what came and fails nothing.
 *
 * @throws the signal's reason.
 */
export async function bringHistory(
  context: GroupsContext,
  channel: LinkChannel,
  count: number,
  told: (messages: number) => void,
  signal: AbortSignal,
): Promise<BroughtHistory> {
  const { time } = context;
  const wait = () => ({ deadlineNs: time.bestNs() + BigInt(linkArrivalMs) * 1_000_000n, signal });
  const underWay: number[] = [];
  let messages = 0;
  const acknowledged = async () => {
    await channel.receive("ack", wait());
    messages += underWay.shift() ?? 0;
    told(messages);
  };
  try {
    await channel.receive("ready", wait());
    for (const part of count === 0 ? [] : partsOf(context, count)) {
      if (underWay.length === historyWindow) await acknowledged();
      await channel.send({ kind: "part", messages: part.bytes }, wait());
      underWay.push(part.count);
    }
    while (underWay.length > 0) await acknowledged();
    await channel.send({ kind: "part", messages: new Uint8Array(0) }, wait());
    return { messages, isComplete: true };
  } catch (error) {
    if (isAborted(signal) || codeOf(error)?.startsWith("STORE_") === true) throw error;
    await channel.end(error);
    return { messages, isComplete: false };
  }
}

/**
 * Takes what the old device brings, a transaction for each part. Messages of groups that this device is not in are passed
 * by, and nothing but messages is written. Returns how many were kept.
 *
 * @throws as `LinkChannel.receive`; codes that begin with STORE_.
 */
export async function takeHistory(
  context: GroupsContext,
  channel: LinkChannel,
  broughtBy: string,
  told: (messages: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { time } = context;
  const wait = () => ({ deadlineNs: time.bestNs() + BigInt(linkArrivalMs) * 1_000_000n, signal });
  await channel.send({ kind: "ready" }, wait());
  let bytes = 0;
  let kept = 0;
  for (;;) {
    const part = await channel.receive("part", wait());
    bytes += part.messages.length;
    if (part.messages.length === 0 || bytes > maxHistoryBytes) return;
    kept += keepPart(context, broughtBy, decodeHistory(part.messages));
    told(kept);
    await channel.send({ kind: "ack" }, wait());
  }
}

/** Keeps the messages of a part; returns how many. */
function keepPart(context: GroupsContext, broughtBy: string, part: readonly BroughtMessage[]): number {
  const { store, directory, time } = context;
  const nowNs = time.bestNs();
  let kept = 0;
  store.transaction((tables) => {
    for (const { message, expiresAtNs } of part) {
      const { senderInboxId, senderInstallationId, sentAtNs, groupId, id } = message;
      const core = context.groups.get(groupId);
      const isDue = expiresAtNs !== 0n && expiresAtNs <= nowNs;
      if (core?.isRead !== true || isDue) continue;
      if (directory.isKnownRevoked(senderInboxId, senderInstallationId, sentAtNs)) continue;
      if (!keepBrought(core, tables, { ...message, broughtBy })) continue;
      if (expiresAtNs !== 0n) tables.expiries.put({ groupId, expiresAtNs, id });
      kept++;
    }
  });
  return kept;
}
