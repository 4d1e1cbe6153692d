import { parseArgs } from "node:util";
import { freshSeed } from "../random.ts";
import { wholeNumber } from "../whole-number.ts";
import { mutationGroups } from "./groups.ts";
import { reportOf, type Survivor } from "./report.ts";
import { tryMutants, type Verdict } from "./run.ts";

const DEFAULT_SAMPLE = "400";

function describe({ module, line, operator, source, replacement }: Survivor): string {
  return `${module}:${line} ${operator}\n    ${source}\n    → ${replacement === "" ? "left out" : replacement}`;
}

function progress({ mutant, fate }: Verdict): void {
  if (fate.kind !== "survived") return;
  const { line, module, operator } = mutant;
  console.log(`${fate.tests === 0 ? "no test comes by" : "survived"}: ${module}:${line} ${operator}`);
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    modules: { type: "string", default: "" },
    sample: { type: "string", default: DEFAULT_SAMPLE },
    seed: { type: "string", default: String(freshSeed()) },
  } as const;
  const { values } = parseArgs({ args, options });
  const seed = wholeNumber("seed", values.seed);
  const sample = wholeNumber("sample", values.sample);
  const modules = values.modules.split(",").filter((part) => part !== "");
  console.log(`seed ${seed}, at most ${sample} mutants`);
  const { total, verdicts } = await tryMutants(mutationGroups(), { seed, sample, modules, onVerdict: progress });
  const report = reportOf(seed, total, verdicts);
  for (const survivor of report.survivors) console.log(describe(survivor));
  const { killed, timeouts, explained, survivors } = report;
  console.log(
    `${report.tried} of ${total} mutants: ${killed} killed, ${timeouts} without end, ${explained} explained, ${survivors.length} survived`,
  );
  if (values.json) console.log(JSON.stringify(report));
  return survivors.length === 0 && killed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  process.exitCode = 1;
}
