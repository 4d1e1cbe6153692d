/** The middle of the values, or the mean of the two in the middle; throws RangeError for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (lower === undefined || upper === undefined) throw new RangeError("no values to take the median of");
  return (lower + upper) / 2;
}

/** How often an operation is run. */
export interface Repetition {
  readonly runs: number;
  /** Runs before those that count. */
  readonly warmUps: number;
}

/** Medians of one operation in both engines, in milliseconds, and how many times faster Latchkey is. */
export interface Comparison {
  readonly latchkeyMs: number;
  readonly tsMlsMs: number;
  readonly ratio: number;
}

/** Wall-clock time of an operation. */
export async function elapsedMs(operation: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await operation();
  return performance.now() - start;
}

/**
 * Times both operations by turns, so that whatever else the machine does meets both alike. Each gets the number of its
 * turn, from 0.
 */
export async function compare(
  { runs, warmUps }: Repetition,
  latchkey: (turn: number) => Promise<unknown>,
  tsMls: (turn: number) => Promise<unknown>,
): Promise<Comparison> {
  const [latchkeyTimes, tsMlsTimes]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < warmUps + runs; turn++) {
    latchkeyTimes.push(await elapsedMs(() => latchkey(turn)));
    tsMlsTimes.push(await elapsedMs(() => tsMls(turn)));
  }
  const latchkeyMs = median(latchkeyTimes.slice(warmUps));
  const tsMlsMs = median(tsMlsTimes.slice(warmUps));
  return { latchkeyMs, tsMlsMs, ratio: tsMlsMs / latchkeyMs };
}
