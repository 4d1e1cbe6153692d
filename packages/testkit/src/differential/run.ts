import { Disagreement } from "./client.ts";
import { History, type HistoryCounts, type HistoryOptions } from "./history.ts";
import { commitSome, joinExternally, proposeSome } from "./steps.ts";
import { succeed } from "./succession.ts";

/** One history that ended in agreement. */
export interface HistoryReport extends HistoryOptions {
  readonly counts: HistoryCounts;
}

/**
 * Plays one random history of a group in which every member is Latchkey or ts-mls, and checks after every commit that
 * all members agree. Throws Disagreement, naming seed, step and action.
 */
export async function runHistory(options: HistoryOptions): Promise<HistoryReport> {
  const history = new History(options);
  const { random, members, mailboxes } = history;
  let step = 0;
  try {
    const founder = await history.newClient();
    history.doing = `${founder.name} (${founder.engine}) creates the group`;
    await founder.createGroup();
    history.join(founder);
    for (step = 1; step <= options.steps; step++) {
      // Nobody sends application data before a commit took in the proposals of the epoch (RFC 9420 §12.4).
      if (members.length > 1 && history.pending.length === 0) await mailboxes.send(random.pick(members), members);
      await mailboxes.deliver();
      await proposeSome(history);
      const external = members.length < 2 ? random.chance(0.5) : random.chance(0.25);
      if (external || !(await commitSome(history))) await joinExternally(history);
      await history.checkAgreement();
      history.doing = "application messages";
      await mailboxes.deliver();
    }
    await succeed(history);
  } catch (error) {
    const { seed, cipherSuite } = options;
    const reason = error instanceof Error ? error.message : String(error);
    const where = `seed ${seed}, suite ${cipherSuite}, step ${step}: ${history.doing}`;
    throw new Disagreement(`${where}: ${reason}`, { cause: error });
  }
  return { ...options, counts: { ...history.counts, "application messages opened": mailboxes.opened } };
}

/** Adds up what several histories did. */
export function totalCounts(reports: readonly HistoryReport[]): HistoryCounts {
  const total = new Map<string, number>();
  for (const { counts } of reports) {
    for (const [what, count] of Object.entries(counts)) total.set(what, (total.get(what) ?? 0) + count);
  }
  return Object.fromEntries([...total].sort(([a], [b]) => a.localeCompare(b)));
}
