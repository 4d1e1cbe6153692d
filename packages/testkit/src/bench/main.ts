import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { benchAtSize, type SizeResult } from "./compare-at-size.ts";
import { watchForeignLoad } from "./foreign-load.ts";
import { goalsOf, type GoalResult } from "./goals.ts";
import { BENCH_SUITE } from "./latchkey-side.ts";
import type { Comparison } from "./measure.ts";

const DEFAULT_SIZES = "10,100,300,1000,3000,10000";
const MAX_MEMBERS = 10_000;
/** Cores that other processes may use while the measurements still count as those of a quiet machine. */
const QUIET_CORES = 0.2;
const RUNS = { runs: 10, warmUps: 2 };

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
    `  process a join ${ms(own.processJoinMs)}, beside the joiner ${ms(own.processJoinBesideMs)}, a commit ${ms(own.processCommitMs)}`,
    `  rows written: join ${bytes(own.rowBytesPerJoin)}, commit ${bytes(own.rowBytesPerCommit)}`,
    `  export GroupInfo ${ms(own.exportGroupInfoMs)}, encrypt ${ms(own.sendMs)}, decrypt ${ms(own.openMs)}`,
    `  memory ${(own.memoryBytes / 1000).toFixed(0)} kB for the group, ${bytes(own.memoryBytesPerMember)} per member`,
  ];
}

function goalLine({ name, members, value, goal, unit, bound, met, decides }: GoalResult): string {
  const digits = unit === "bytes" ? 0 : 2;
  const stated = `${value.toFixed(digits)}${unit === "ratio" ? "" : ` ${unit}`} (${bound} ${goal})`;
  const verdict = met ? "met" : decides ? "MISSED" : "missed, which is for this machine to decide";
  return `${String(members).padStart(8)}  ${name}: ${stated}: ${verdict}`;
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toFixed(3)) : value;
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
  const goals = goalsOf(results);
  console.log(goals.length === 0 ? "no goal is about these sizes, so nothing is decided" : "goals:");
  for (const goal of goals) console.log(goalLine(goal));
  const foreignCores = foreignLoad();
  if (foreignCores > QUIET_CORES) {
    console.log(`THE MACHINE WAS BUSY: other processes used ${foreignCores.toFixed(2)} cores, which spoils the ratios`);
  }
  const residentBytes = process.memoryUsage.rss();
  console.log(`resident memory of this process at its end: ${(residentBytes / 1e6).toFixed(0)} MB`);
  const decisive = goals.filter(({ decides }) => decides);
  const passed = decisive.length > 0 && decisive.every(({ met }) => met);
  if (json) {
    const result = { ...machine, foreignCores, residentBytes, ...RUNS, sizes: results, goals, passed };
    console.log(JSON.stringify(result, rounded));
  }
  return passed ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
