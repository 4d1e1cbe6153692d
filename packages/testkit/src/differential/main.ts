import { parseArgs } from "node:util";
import { freshSeed } from "../random.ts";
import { wholeNumber } from "../whole-number.ts";
import { runHistory, totalCounts, type HistoryReport } from "./run.ts";

const SUITES = [1, 2, 3];

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    seeds: { type: "string", default: "5" },
    seed: { type: "string", default: String(freshSeed()) },
    steps: { type: "string", default: "30" },
    members: { type: "string", default: "8" },
  } as const;
  const { values } = parseArgs({ args, options });
  const [seeds, first, steps, maxMembers] = (["seeds", "seed", "steps", "members"] as const).map((name) =>
    wholeNumber(name, values[name]),
  ) as [number, number, number, number];
  console.log(
    `${seeds} seeds from ${first} on, suites ${SUITES.join(", ")}, ${steps} steps, up to ${maxMembers} members`,
  );
  const reports: HistoryReport[] = [];
  const disagreements: string[] = [];
  for (let seed = first; seed < first + seeds; seed++) {
    for (const cipherSuite of SUITES) {
      try {
        reports.push(await runHistory({ seed, cipherSuite, steps, maxMembers }));
      } catch (error) {
        disagreements.push(error instanceof Error ? error.message : String(error));
        console.log(`DISAGREEMENT ${disagreements.at(-1) ?? ""}`);
      }
    }
  }
  const counts = totalCounts(reports);
  for (const [what, count] of Object.entries(counts)) console.log(`${String(count).padStart(7)}  ${what}`);
  console.log(`${reports.length} histories in agreement, ${disagreements.length} not`);
  if (values.json) {
    const agreed = reports.length;
    console.log(
      JSON.stringify({ seed: first, seeds, suites: SUITES, steps, maxMembers, agreed, disagreements, counts }),
    );
  }
  return disagreements.length === 0 && reports.length > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
