import type { ReplayEntry } from "./replay-log.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/**
 * Judges the signatures of the updates of many logs, each in the order of its log, as `judgeSignatures` of `@latchkey/xmtp`
 * does: by the rule of identity signatures, apart from the event loop. Undefined for what it does not judge, or where no
 * thread can be had.
 */
export type JudgeLogs = (
  logs: readonly (readonly Uint8Array[])[],
) => Promise<readonly (readonly (Uint8Array | undefined)[])[] | undefined>;

/** Updates of a log that are to be replayed. */
interface EntriesOf {
  readonly entries: readonly ReplayEntry[];
}

/** Has the updates judged that have no verdict yet, all logs together; what is not judged here is judged while replaying. */
export async function judgeAhead<L extends EntriesOf>(
  judge: JudgeLogs | undefined,
  logs: readonly L[],
): Promise<readonly L[]> {
  const unjudged = logs.map(({ entries }) =>
    entries.filter(({ verdict }) => verdict === undefined).slice(0, CLIENT_LIMITS.maxIdentityUpdates),
  );
  if (unjudged.every((entries) => entries.length === 0)) return logs;
  const judged = await judge?.(unjudged.map((entries) => entries.map(({ update }) => update)));
  if (judged === undefined) return logs;
  const verdicts = new Map<ReplayEntry, Uint8Array | undefined>(
    unjudged.flatMap((entries, log) =>
      entries.map((entry, at): [ReplayEntry, Uint8Array | undefined] => [entry, judged[log]?.[at]]),
    ),
  );
  return logs.map((log) => ({
    ...log,
    entries: log.entries.map((entry) => ({ ...entry, judged: verdicts.get(entry) })),
  }));
}
