import { runScenario, type Case, type Scenario } from "./stage.ts";

const [, , file, captureFile] = process.argv;
if (file === undefined) throw new Error("the scenario's file is missing");
const { scenario } = (await import(file)) as { scenario: Scenario };

const sent: Promise<unknown>[] = [];
const report = (outcome: Case): void => void sent.push(new Promise((done) => process.send?.(outcome, done)));
const passed = await runScenario(scenario, report, captureFile);
await Promise.all(sent);
// The native library's threads would keep the process alive.
process.exit(passed ? 0 : 1);
