import { parseArgs } from "node:util";
import { freshSeed } from "../random.ts";
import { wholeNumber } from "../whole-number.ts";
import { fuzzClients } from "./clients.ts";
import { fuzz } from "./run.ts";

/** The part of the time that running clients get. */
const CLIENTS_SHARE: Readonly<Record<string, number>> = { decoders: 0, clients: 1, all: 0.5 };

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(freshSeed()) },
    target: { type: "string", default: "all" },
  } as const;
  const { values } = parseArgs({ args, options });
  const seed = wholeNumber("seed", values.seed);
  const seconds = wholeNumber("seconds", values.seconds);
  console.log(`seed ${seed}, ${seconds} seconds`);
  const untilMs = (part: number) => {
    const endMs = performance.now() + part * seconds * 1000;
    return () => performance.now() > endMs;
  };
  const share = CLIENTS_SHARE[values.target];
  if (share === undefined) throw new RangeError("--target is decoders, clients or all");
  const report = await fuzz(seed, untilMs(1 - share));
  const clients = await fuzzClients(seed, untilMs(share));
  for (const { target, inputs, accepted, refused, slowestMs } of report.targets) {
    console.log(`${target}: ${inputs} inputs, ${accepted} taken, slowest ${slowestMs} ms`);
    const rules = Object.entries(refused).map(([rule, count]) => `${rule} ${count}`);
    if (rules.length > 0) console.log(`    refused: ${rules.join(", ")}`);
  }
  for (const { input, target, how, problem, bytesHex } of report.findings) {
    console.log(`FOUND at input ${input} of seed ${seed}, ${target}, changed: ${how}\n${problem}\n${bytesHex}`);
  }
  console.log(`running clients: ${clients.inputs} inputs in ${clients.batches} batches, ${clients.joins} joins`);
  for (const { batch, how, problem } of clients.findings) {
    console.log(
      `FOUND in batch ${batch} of seed ${seed}, running clients, put in:\n    ${how.join("\n    ")}\n${problem}`,
    );
  }
  const inputs = report.inputs + clients.inputs;
  const findings = report.findings.length + clients.findings.length;
  console.log(`${inputs} inputs, ${findings} findings`);
  if (values.json) console.log(JSON.stringify({ ...report, clients }));
  return findings === 0 && inputs > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  process.exitCode = 1;
}
