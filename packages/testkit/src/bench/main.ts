import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { benchAtSize, type SizeResult } from "./compare-at-size.ts";
import { watchForeignLoad } from "./foreign-load.ts";
import { BENCH_SUITE } from "./latchkey-side.ts";
import type { Comparison } from "./measure.ts";

const GOAL = { members: 300, ratio: 10 };
const DEFAULT_SIZES = "10,100,300";
const MAX_MEMBERS = 10_000;
/** Cores that other processes may use while the measurements still count as those of a quiet machine. */
const QUIET_CORES = 0.2;
const RUNS = { runs: 7, warmUps: 2 };

function parseSizes(text: string): number[] {
  const sizes = text.split(",").map(Number);
  for (const size of sizes) {
    if (!Number.isInteger(size) || size < 2 || size > MAX_MEMBERS) {
      throw new RangeError(`--sizes takes numbers of members from 2 to ${MAX_MEMBERS}, separated by commas`);
    }
  }
  return [...new Set(sizes)].sort((a, b) => a - b);
}

const COLUMNS = [8, 14, 14, 12, 12, 9];

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(COLUMNS[index] ?? 0)).join("");
}

function comparedLines({ members, groupInfoBytes, compared }: SizeResult): string[] {
  if (compared === undefined) return [];
  const line = (name: string, { latchkeyMs, tsMlsMs, ratio }: Comparison) =>
    row([
      String(members),
      `${(groupInfoBytes / 1000).toFixed(1)} kB`,
      name,
      `${latchkeyMs.toFixed(2)} ms`,
      `${tsMlsMs.toFixed(1)} ms`,
      `${ratio.toFixed(1)} x`,
    ]);
  const { join, processJoin, processCommit } = compared;
  return [line("join", join), line("process join", processJoin), line("commit", processCommit)];
}

function ownLines({ members, own }: SizeResult): string[] {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const bytes = (value: number) => `${value.toFixed(0)} bytes`;
  return [
    `${members} members, Latchkey alone:`,
    `  join ${ms(own.joinMs)} = ${own.joinOverFloor.toFixed(2)} x the floor of primitives, ${ms(own.floorMs)}`,
    `  join again after one path changed ${ms(own.retriedJoinMs)} = ${(100 * own.retryOverJoin).toFixed(0)} % of a join`,
    `  process a join ${ms(own.processJoinMs)}, a commit ${ms(own.processCommitMs)}`,
    `  rows written: join ${bytes(own.rowBytesPerJoin)}, commit ${bytes(own.rowBytesPerCommit)}`,
    `  export GroupInfo ${ms(own.exportGroupInfoMs)}, encrypt ${ms(own.sendMs)}, decrypt ${ms(own.openMs)}`,
    `  memory ${bytes(own.memoryBytesPerMember)} per member`,
  ];
}

function rounded(result: SizeResult): object {
  return JSON.parse(
    JSON.stringify(result, (_, value: unknown) => (typeof value === "number" ? Number(value.toFixed(3)) : value)),
  ) as object;
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    sizes: { type: "string", default: DEFAULT_SIZES },
  } as const;
  const { json, sizes } = parseArgs({ args, options }).values;

  const machine = { node: process.version, cores: availableParallelism(), cipherSuite: BENCH_SUITE };
  console.log(`Latchkey and ts-mls 2.0.0-rc.10, cipher suite ${BENCH_SUITE}, medians of ${RUNS.runs} runs by turns`);
  console.log(`node ${machine.node}, ${machine.cores} cores`);
  const foreignLoad = watchForeignLoad();
  console.log(row(["members", "GroupInfo", "operation", "Latchkey", "ts-mls", "ratio"]));
  const results: SizeResult[] = [];
  for (const size of parseSizes(sizes)) {
    const result = await benchAtSize(size, RUNS);
    results.push(result);
    for (const line of [...comparedLines(result), ...ownLines(result)]) console.log(line);
  }
  const decisive = results.findLast(({ members, compared }) => members >= GOAL.members && compared !== undefined);
  const ratio = decisive?.compared?.join.ratio;
  const reached = ratio !== undefined && ratio >= GOAL.ratio;
  if (decisive === undefined || ratio === undefined) {
    console.log(`no size of ${GOAL.members} or more was compared, so nothing is decided`);
  } else {
    console.log(
      `joining ${decisive.members} members is ${ratio.toFixed(1)} times faster; ${GOAL.ratio} times is the goal`,
    );
  }
  const foreignCores = Number(foreignLoad().toFixed(2));
  if (foreignCores > QUIET_CORES) {
    console.log(`THE MACHINE WAS BUSY: other processes used ${foreignCores} cores, which makes the ratios too low`);
  }
  if (json) {
    console.log(
      JSON.stringify({ ...machine, foreignCores, ...RUNS, sizes: results.map(rounded), goal: { ...GOAL, reached } }),
    );
  }
  return reached ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
