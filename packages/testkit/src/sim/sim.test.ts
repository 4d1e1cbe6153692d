import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { WHOLE } from "../whole.ts";
import { simulate, type SimResult } from "./run.ts";
import { shrink } from "./shrink.ts";
import { summarize, type SimSummary } from "./summary.ts";

/** Seeds that run with every `npm test`, in turns of this many. */
const SEEDS = WHOLE ? 40 : 6;
const AT_ONCE = 2;

/** Fewer than by hand, to be done in time. */
const DEEDS = 50;

const results: SimResult[] = [];

for (let first = 1; first <= SEEDS; first += AT_ONCE) {
  test(`in the worlds of seeds ${first} to ${first + AT_ONCE - 1} nothing is lost, forged, torn or stuck`, async () => {
    for (let seed = first; seed < first + AT_ONCE; seed++) {
      const result = await simulate({ seed, actions: DEEDS });
      results.push({ ...result, trace: [] });
      const { problem, troubles, trace } = result;
      assert.equal(problem, undefined, `seed ${seed} with ${troubles.join(", ")}\n${trace.slice(-40).join("\n")}`);
    }
  });
}

/** Kinds of faults that so few worlds have at least; `npm run sim` wants all of them. */
const KINDS_OF_FAULTS = 22;

test("most kinds of trouble happened in those worlds", () => {
  const summary = summarize(results, []);
  assert.ok(Object.keys(summary.faults).length >= KINDS_OF_FAULTS, Object.keys(summary.faults).join(", "));
  assert.ok(summary.joins > SEEDS && summary.messages > SEEDS && summary.commits > SEEDS && summary.crashes > SEEDS);
  assert.ok(summary.refused > 0, "what is forged arrives and is refused");
});

test("a seed is played again exactly; another one goes another way", async () => {
  const [once, again, other] = [
    await simulate({ seed: 7, actions: 30 }),
    await simulate({ seed: 7, actions: 30 }),
    await simulate({ seed: 8, actions: 30 }),
  ];
  assert.deepEqual(again.trace, once.trace);
  assert.equal(again.traceHash, once.traceHash);
  assert.notEqual(other.traceHash, once.traceHash);
});

test("a failure is shrunk to less trouble and less to do, and fails still", async () => {
  const troubles = ["network", "crashes"] as const;
  // Who comes last keeps nothing, so that every run fails, at its end.
  const tampering = { losesTransaction: (device: string) => device === "zoe-1" };
  const options = { seed: 4, actions: 40, troubles, tampering };
  const failed = await simulate(options);
  assert.notEqual(failed.problem, undefined);
  assert.ok(failed.troubles.length > 0);
  const smallest = await shrink(failed, options);
  assert.notEqual(smallest.problem, undefined);
  assert.ok(smallest.actions < failed.actions && smallest.troubles.length < failed.troubles.length);
});

test("the command prints one object and says by its status whether all is well", async () => {
  const script = fileURLToPath(new URL("main.ts", import.meta.url));
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [script, "--seed", "3", "--actions", "10", "--json"]);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as SimSummary;
  assert.equal(summary.seeds, 1);
  assert.equal(summary.failed, 0);
  assert.ok(summary.steps > 0 && summary.messages > 0);
  assert.deepEqual(summary.failures, []);
  await assert.rejects(run(process.execPath, [script, "--troubles", "weather"]), /--troubles takes some of/);
});
