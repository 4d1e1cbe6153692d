import type { SimResult } from "./run.ts";

/** A seed that failed, with what is needed to see it again. */
export interface SimFailure {
  readonly seed: number;
  readonly actions: number;
  readonly troubles: readonly string[];
  readonly problem: string;
  readonly traceHash: string;
}

/** The sum of many seeds. */
export interface SimSummary {
  readonly seeds: number;
  readonly failed: number;
  readonly steps: number;
  readonly joins: number;
  readonly crashes: number;
  readonly messages: number;
  readonly commits: number;
  readonly epochs: number;
  /** Entries of logs that honest devices refused. */
  readonly refused: number;
  readonly faults: Readonly<Record<string, number>>;
  /** How calls ended, by code. */
  readonly endings: Readonly<Record<string, number>>;
  readonly failures: readonly SimFailure[];
}

/** Every way in which things go wrong: a run of many seeds that lacks one has not tried it. */
const FAULTS = [
  "requests lost",
  "answers lost",
  "requests repeated",
  "requests late",
  "streams cut",
  "devices offline",
  "node restarts",
  "crashes",
  "crashes at a transaction",
  "disks full",
  "logs withheld",
  "messages repeated",
  "messages damaged",
  "messages overtaken",
  "junk in the log",
  "joins overtaken",
  "views split",
  "joins forged",
  "commits made up",
  "slots littered",
  "commits forbidden",
  "members' lies",
  "messages by the removed",
  "poisoned Welcomes",
  "poisoned envelopes",
  "poisoned joins",
  "poisoned blobs",
  "poisoned commits",
  "poisoned messages",
  "groups claimed",
  "joins that name many inboxes",
  "joins ahead of their identity",
  "identity logs grown",
  "paths garbled",
  "key packages spoiled",
  "clocks set",
  "identities late",
  "lies",
  "disks restored",
  "native messages",
] as const;

/** Outcomes that have to be met as well. */
const ENDINGS = [
  "done",
  "died",
  "NODE_UNREACHABLE",
  "STORE_FULL",
  "ALREADY_MEMBER",
  "NOT_A_MEMBER",
  "NOT_PERMITTED",
  "INVITE_STALE",
  "INVITE_NO_CANDIDATE",
  "INVITE_EXHAUSTED",
  "JOIN_ABORTED",
] as const;

/** Seeds from which on everything has to have happened at least once. */
export const ENOUGH_SEEDS = 50;

function addTo(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}

/** Adds up runs; the failures are those that were given, shrunk or not. */
export function summarize(results: readonly SimResult[], failures: readonly SimResult[]): SimSummary {
  const faults: Record<string, number> = {};
  const endings: Record<string, number> = {};
  for (const { faults: counts, tally } of results) {
    addTo(faults, counts);
    addTo(endings, tally.endings);
  }
  const total = (count: (result: SimResult) => number) => results.reduce((sum, result) => sum + count(result), 0);
  return {
    seeds: results.length,
    failed: failures.length,
    steps: total(({ steps }) => steps),
    joins: total(({ tally }) => tally.joins),
    crashes: (faults["crashes"] ?? 0) + (faults["crashes at a transaction"] ?? 0),
    messages: total(({ tally }) => tally.messages),
    commits: total(({ tally }) => tally.commits),
    epochs: total(({ epochs }) => epochs),
    refused: total(({ refused }) => refused),
    faults,
    endings,
    failures: failures.map(({ seed, actions, troubles, problem = "", traceHash }) => ({
      seed,
      actions,
      troubles,
      problem,
      traceHash,
    })),
  };
}

/** What never happened in a run that is long enough for everything to happen. */
export function missing({ seeds, faults, endings }: SimSummary): string[] {
  if (seeds < ENOUGH_SEEDS) return [];
  return [
    ...FAULTS.filter((name) => faults[name] === undefined),
    ...ENDINGS.filter((name) => endings[name] === undefined),
  ];
}
