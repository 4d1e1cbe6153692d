import { parseArgs } from "node:util";
import { freshSeed } from "../random.ts";
import { wholeNumber } from "../whole-number.ts";
import { fuzz } from "./run.ts";

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(freshSeed()) },
  } as const;
  const { values } = parseArgs({ args, options });
  const seed = wholeNumber("seed", values.seed);
  const seconds = wholeNumber("seconds", values.seconds);
  console.log(`seed ${seed}, ${seconds} seconds`);
  const end = performance.now() + seconds * 1000;
  const report = await fuzz(seed, () => performance.now() > end);
  for (const { target, inputs, accepted, refused, slowestMs } of report.targets) {
    console.log(`${target}: ${inputs} inputs, ${accepted} taken, slowest ${slowestMs} ms`);
    const rules = Object.entries(refused).map(([rule, count]) => `${rule} ${count}`);
    if (rules.length > 0) console.log(`    refused: ${rules.join(", ")}`);
  }
  for (const { input, target, how, problem, bytesHex } of report.findings) {
    console.log(`FOUND at input ${input} of seed ${seed}, ${target}, changed: ${how}\n${problem}\n${bytesHex}`);
  }
  console.log(`${report.inputs} inputs, ${report.findings.length} findings`);
  if (values.json) console.log(JSON.stringify(report));
  return report.findings.length === 0 && report.inputs > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  process.exitCode = 1;
}
