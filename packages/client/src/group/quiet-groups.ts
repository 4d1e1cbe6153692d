import { isAborted } from "../clock.ts";
import type { ClientContext } from "./client-context.ts";
import type { GroupCore } from "./group-core.ts";

/** Whether reading the log to its end would only show that nothing came. */
function isSettled(core: GroupCore): boolean {
  const { store } = core.context;
  const waits = core.pendingCommit !== undefined || core.identityWait !== undefined;
  return core.isRead && !waits && store.outbox.count(core.groupId) === 0;
}

/**
 * The groups with nothing behind what was read, by one question to the node for all. A group whose newest message is not the
 * last that was read is not among them: its log is read, and a false id is found out there. Empty where the node does not
 * answer; every log is read then. Throws when the signal is aborted.
 */
export async function findQuietGroups(
  { transport }: ClientContext,
  cores: readonly GroupCore[],
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<GroupCore>> {
  const settled = cores.filter(isSettled);
  if (transport.newestGroupMessages === undefined || settled.length < 2) return new Set();
  const groupIds = settled.map(({ mls }) => mls.groupId);
  try {
    const newest = await transport.newestGroupMessages(groupIds, signal);
    return new Set(settled.filter(({ record }, index) => record.cursor === (newest[index] ?? 0n)));
  } catch (error) {
    if (isAborted(signal)) throw error;
    return new Set();
  }
}
