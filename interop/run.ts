/**
 * Runs the scenarios, each in a process of its own, and installs the native library first when it is missing.
 * Usage: run.ts [--json] [--only <start of a scenario's file name>] [--capture <directory>]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installLibrary } from "./src/install.ts";
import type { Case } from "./src/stage.ts";

/** Longest time for one scenario, in milliseconds; the longest takes about a quarter of it. */
const SCENARIO_MS = 240_000;

const HERE = import.meta.dirname;

function scenarioFiles(only: string): string[] {
  const directory = join(HERE, "src/scenarios");
  const files = readdirSync(directory).filter((name) => name.endsWith(".ts") && name.startsWith(only));
  if (files.length === 0) throw new Error(`no scenario's file name begins with ${only}`);
  return files.sort().map((name) => join(directory, name));
}

interface Outcome {
  readonly passed: boolean;
  readonly cases: readonly Case[];
}

async function runFile(
  file: string,
  captureDirectory: string | undefined,
  show: (line: string) => void,
): Promise<Outcome> {
  const name = basename(file, ".ts");
  const captureFile = captureDirectory === undefined ? [] : [join(captureDirectory, `${name}.jsonl`)];
  const child = fork(join(HERE, "src/scenario-main.ts"), [file, ...captureFile], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const cases: Case[] = [];
  let output = "";
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-200_000));
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  child.on("message", (message) => {
    const outcome = message as Case;
    cases.push(outcome);
    show(`${outcome.passed ? "ok  " : "FAIL"} ${outcome.scenario} | ${outcome.case} (${outcome.ms} ms)`);
    if (outcome.error !== undefined) show(outcome.error);
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), SCENARIO_MS);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  const passed = code === 0;
  if (!passed) show(output);
  if (!passed && cases.every((entry) => entry.passed)) {
    const error = signal === "SIGKILL" ? `not done in ${SCENARIO_MS} ms` : `ended with ${code ?? signal}`;
    cases.push({ scenario: name, case: "the scenario's process", passed: false, ms: 0, error });
  }
  return { passed, cases };
}

const { values } = parseArgs({
  options: { json: { type: "boolean" }, only: { type: "string" }, capture: { type: "string" } },
});
installLibrary();
const captureDirectory = values.capture === undefined ? undefined : resolve(values.capture);
if (captureDirectory !== undefined) mkdirSync(captureDirectory, { recursive: true });
const outcomes: Outcome[] = [];
for (const file of scenarioFiles(values.only ?? "")) {
  outcomes.push(await runFile(file, captureDirectory, (line) => console.error(line)));
}
const passed = outcomes.filter((outcome) => outcome.passed).length;
const failed = outcomes.length - passed;
const cases = outcomes.flatMap((outcome) => outcome.cases);
if (values.json === true) console.log(JSON.stringify({ scenarios: outcomes.length, passed, failed, cases }));
else console.log(`${outcomes.length} scenarios, ${passed} passed, ${failed} failed, ${cases.length} cases`);
process.exitCode = failed === 0 ? 0 : 1;
