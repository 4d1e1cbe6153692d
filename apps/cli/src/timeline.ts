import type { Group, InviteJoin, Message } from "@latchkey/client";
import { joinJson, joinLine, messageJson, messageLine } from "./describe.ts";
import type { JsonObject } from "./output.ts";
import type { Style } from "./style.ts";

/** An event in a group: a message, or somebody who came in by its invite. */
export type Entry = { readonly message: Message } | { readonly join: InviteJoin };

function placeOf(entry: Entry): bigint {
  return "message" in entry ? entry.message.sequenceId : entry.join.sequenceId;
}

/** The story so far, in the order of the log. */
export function entriesSoFar(group: Group): Entry[] {
  const entries = [
    ...group.messages().map((message): Entry => ({ message })),
    ...group.joins().map((join): Entry => ({ join })),
  ];
  return entries.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

/** Shows how the story goes on, until the signal is aborted or this device is out of the group. */
export async function followEntries(group: Group, signal: AbortSignal, show: (entry: Entry) => void): Promise<void> {
  const over = new AbortController();
  const either = { signal: AbortSignal.any([signal, over.signal]) };
  const stop = () => over.abort();
  const messages = async () => {
    for await (const message of group.stream(either)) show({ message });
  };
  const joins = async () => {
    for await (const join of group.streamJoins(either)) show({ join });
  };
  // Whichever ends first ends the other: both see the same log.
  const outcomes = await Promise.allSettled([messages().finally(stop), joins().finally(stop)]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

/** An entry as `--json` shows it, one per line. */
export function entryJson(entry: Entry): JsonObject {
  return "message" in entry ? { message: messageJson(entry.message) } : { join: joinJson(entry.join) };
}

/** An entry as people see it. */
export function entryLine(entry: Entry, ownInboxId: string, style: Style): string {
  return "message" in entry ? messageLine(entry.message, ownInboxId, style) : joinLine(entry.join, ownInboxId, style);
}
