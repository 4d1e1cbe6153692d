import { equalBytes } from "@latchkey/mls";
import type { GroupsContext } from "../group/group-registry.ts";
import { clientError, codeOf, verdictOf } from "../errors.ts";
import type { GroupCore } from "../group/group-core.ts";
import { newBackoff, outgoing, syncLocked } from "../group/sync.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { JoinRecord } from "../store/records.ts";
import { recordContested, recordJoined, recordLost, recordPublished, recordSequenced } from "./journal.ts";
import { LogScan, type SeenCommit } from "./log-scan.ts";
import { isOutdated, judgeOwnJoin } from "./own-join.ts";
import type { JoinStep } from "./progress.ts";

/** How a join under way is brought to its end. */
export interface SettleOptions {
  readonly signal?: AbortSignal | undefined;
  /** The commit was just made and has not left yet: nobody needs to be asked where it is. */
  readonly unsent?: boolean;
  /** Called when the own identity log has grown since the commit was built; the join is dropped then. */
  readonly onOutdated?: (() => void) | undefined;
  readonly onStep?: ((step: JoinStep) => void) | undefined;
}

/**
 * Brings a join from where its journal stands to JOINED, or to CONTESTED, from which only a word of the group leads on (see
 * `settleContest`); then undefined is returned. Nothing is sent for a join that is contested already.
 *
 * Throws when the outcome is still open (network, abort): the journal keeps the join and the next call goes on; and
 * when the node refused the commit: then nothing is left.
 */
export async function settleJoin(
  context: GroupsContext,
  join: JoinRecord,
  options: SettleOptions = {},
): Promise<GroupCore | undefined> {
  if (join.state === "JOINED") return context.groups.get(join.groupId);
  if (join.state === "CONTESTED") return undefined;
  const sequenced = join.state === "SEQUENCED" ? join : await sequence(context, join, options);
  if (sequenced === undefined) return undefined;
  const earlier = context.groups.get(join.groupId);
  if (earlier === undefined) return recordJoined(context, sequenced);
  return earlier.exclusive(async () => {
    // A Welcome may have come while the join was open. The log, read as far as it goes, tells which of the two came later.
    if (earlier.active) await syncLocked(earlier, options.signal);
    if (!earlier.active || earlier.record.status === "parted") return recordJoined(context, sequenced);
    recordLost(context, join);
    return earlier;
  }, options.signal);
}

/**
 * PREPARED or PUBLISHED → SEQUENCED or CONTESTED, or LOST: when the own identity log has grown before the commit leaves, and
 * when the members must refuse it at its envelope. A commit that may have been sent is looked for before it is sent again.
 */
async function sequence(
  context: GroupsContext,
  join: JoinRecord,
  options: SettleOptions,
): Promise<JoinRecord | undefined> {
  const { signal, onStep } = options;
  const scan = new LogScan(context, join.groupId, { fromEpoch: join.epoch, afterId: join.logCursor, hinted: true });
  if (options.unsent !== true) await scan.advance(signal);
  let current = join;
  if (scan.commits(join.epoch).length === 0) {
    if (await isOutdated(context, join, signal)) {
      recordLost(context, join);
      options.onOutdated?.();
      return undefined;
    }
    onStep?.("publishing");
    await publish(context, join, signal);
    current = recordPublished(context, join);
  }
  onStep?.("reading-back");
  const backoff = newBackoff(context);
  for (let attempt = 0; attempt < CLIENT_LIMITS.maxReadBackAttempts; attempt++) {
    await scan.advance(signal);
    const commits = scan.commits(join.epoch);
    if (commits[0] !== undefined) {
      const own = commits.find(({ hash }) => equalBytes(hash, join.messageHash));
      if (own === commits[0] && (await isAccepted(context, current, own, signal))) {
        return recordSequenced(context, current, own);
      }
      recordContested(context, current, own);
      return undefined;
    }
    await context.clock.sleep(backoff.nextMs(), signal);
  }
  throw clientError("NODE_UNREACHABLE", "the node took the join but does not show it; it is taken up again later");
}

/** Judges the own commit at its envelope, and drops a join that the members must refuse; throws its refusal. */
async function isAccepted(
  context: GroupsContext,
  join: JoinRecord,
  { createdNs }: SeenCommit,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    return (await judgeOwnJoin(context, join, createdNs, signal)) === "accepted";
  } catch (error) {
    verdictOf(error, signal);
    recordLost(context, join);
    throw error;
  }
}

/** Sends the commit. Once it has left nobody knows where it ends up: only a refusal, or a stop before, undoes it. */
async function publish(context: GroupsContext, join: JoinRecord, signal: AbortSignal | undefined): Promise<void> {
  try {
    await context.transport.sendGroupMessages([outgoing(context, join.groupId, join.message, false)], signal);
  } catch (error) {
    if (codeOf(error) === "NODE_REJECTED") recordLost(context, join);
    throw error;
  }
}
