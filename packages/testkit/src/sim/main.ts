import { parseArgs } from "node:util";
import { wholeNumber } from "../whole-number.ts";
import { TROUBLES, type Trouble } from "./faults.ts";
import { hunt, PLANTED_BUGS } from "./planted.ts";
import { simulate, type SimOptions, type SimResult } from "./run.ts";
import { shrink } from "./shrink.ts";
import { missing, summarize } from "./summary.ts";

/** Seeds of a run unless told otherwise. */
const DEFAULT_SEEDS = "200";

/** Lines of the trace that are shown of a failure. */
const SHOWN_LINES = 40;

function troublesIn(text: string): Trouble[] {
  return text
    .split(",")
    .filter((name) => name !== "")
    .map((name) => {
      const known = TROUBLES.find((trouble) => trouble === name);
      if (known === undefined) throw new RangeError(`--troubles takes some of ${TROUBLES.join(",")}`);
      return known;
    });
}

function report({ seed, actions, troubles, problem, trace, traceHash }: SimResult): void {
  console.error(`\nseed ${seed} FAILED: ${problem ?? ""}`);
  for (const line of trace.slice(-SHOWN_LINES)) console.error(`    ${line}`);
  console.error(
    `trace ${traceHash}; again by: npm run sim -- --seed ${seed} --actions ${actions} --troubles "${troubles.join(",")}"`,
  );
}

/** Plants every known bug and looks for it. */
async function huntAll(seeds: number): Promise<number> {
  let survivors = 0;
  for (const bug of PLANTED_BUGS) {
    const { seed, problem } = await hunt(bug, seeds);
    if (problem === undefined) survivors++;
    const how = problem === undefined ? "NOT FOUND" : `seed ${seed ?? 0}: ${problem.split("\n", 1)[0] ?? ""}`;
    console.log(`${bug.name}: ${how}`);
  }
  return survivors === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      seeds: { type: "string" },
      seed: { type: "string" },
      actions: { type: "string" },
      troubles: { type: "string" },
      trace: { type: "boolean", default: false },
      planted: { type: "boolean", default: false },
    },
  });
  if (values.planted) return huntAll(wholeNumber("seeds", values.seeds ?? DEFAULT_SEEDS));
  const first = values.seed === undefined ? 1 : wholeNumber("seed", values.seed);
  const count = wholeNumber("seeds", values.seeds ?? (values.seed === undefined ? DEFAULT_SEEDS : "1"));
  const chosen: Omit<SimOptions, "seed"> = {
    ...(values.actions === undefined ? {} : { actions: wholeNumber("actions", values.actions) }),
    ...(values.troubles === undefined ? {} : { troubles: troublesIn(values.troubles) }),
  };
  const results: SimResult[] = [];
  const failures: SimResult[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const result = await simulate({ ...chosen, seed });
    // The trace of a run that went well is not needed any more.
    results.push({ ...result, trace: [] });
    if (values.trace) for (const line of result.trace) console.log(line);
    if (count === 1 || values.trace) console.log(`seed ${seed}: ${result.steps} steps, trace ${result.traceHash}`);
    if (result.problem === undefined) continue;
    const smallest = await shrink(result, { ...chosen, seed });
    failures.push(smallest);
    report(smallest);
  }
  const summary = summarize(results, failures);
  const lacking = missing(summary);
  if (lacking.length > 0) console.error(`never happened: ${lacking.join(", ")}`);
  const { seeds, failed, steps, epochs, messages, commits, joins, crashes, refused } = summary;
  console.log(
    `${seeds} seeds from ${first}, ${failed} failed: ${steps} steps, ${epochs} epochs, ${messages} messages, ` +
      `${commits} commits, ${joins} joins, ${crashes} crashes, ${refused} entries refused`,
  );
  if (values.json) console.log(JSON.stringify(summary));
  return failed === 0 && lacking.length === 0 && seeds > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  process.exitCode = 1;
}
