import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXPLAINED } from "./equivalent-mutants.ts";
import { mutationGroups, PROJECT_ROOT } from "./groups.ts";
import { instrument } from "./instrument.ts";
import { findMutants } from "./operators.ts";
import { reportOf } from "./report.ts";
import { tryMutants } from "./run.ts";

const SAMPLE = `
export function checkAge(age: number, kinds: readonly string[]): void {
  if (age < 18 && !kinds.includes("guest")) throw new RangeError(\`too young by \${18 - age}\`);
  note(kinds.every((kind) => ALLOWED.has(kind)));
}
const ALLOWED = new Set(["guest", "member"]);
`;

function changes(text: string): string[] {
  return findMutants("sample.ts", text, 0).map(({ operator, replacement }) => `${operator}: ${replacement}`);
}

test("small wrong changes are found: conditions, borders, constants, checks that are left out", () => {
  assert.deepEqual(changes(SAMPLE), [
    "return-early: ",
    'logic: age < 18 || !kinds.includes("guest")',
    "boundary: age <= 18",
    "negate: age >= 18",
    "constant: 19",
    'negate: kinds.includes("guest")',
    "drop: ",
    "drop: ",
    "quantifier: kinds.some((kind) => ALLOWED.has(kind))",
    'element: ["member"]',
    'element: ["guest"]',
  ]);
});

test("an instrumented module holds every change asleep, and nothing else is changed in it", () => {
  const mutants = findMutants("sample.ts", SAMPLE, 100);
  const text = instrument(SAMPLE, mutants);
  const asleep = mutants.reduce((rest, { id }) => rest.replace(`__mutantIsActive(${id})`, ""), text);
  assert.ok(!asleep.includes("__mutantIsActive"), "each stands there once");
  assert.equal(instrument(SAMPLE, []), SAMPLE);
});

test("mutants of a module are noticed by its tests, or reported as survivors; the sample follows from the seed", async () => {
  const module = "packages/xmtp/src/app-data/semver.ts";
  const group = { name: "one", modules: [module], tests: [module.replace(".ts", ".test.ts")], leftOut: /^$/ };
  const options = { seed: 5, sample: 12, modules: ["semver"] };
  const { total, verdicts } = await tryMutants([group], options);
  const report = reportOf(options.seed, total, verdicts);
  assert.equal(report.tried, 12);
  assert.ok(total > 30);
  assert.equal(report.killed + report.timeouts + report.explained + report.survivors.length, 12);
  assert.ok(report.killed >= 5, `${report.killed} killed`);
  assert.deepEqual(report.survivors, []);
});

test("every explained survivor names a line that is there", () => {
  const modules = mutationGroups().flatMap((group) => group.modules);
  assert.ok(modules.length > 60);
  const gone = EXPLAINED.filter(({ module, source }) => {
    const path = modules.find((each) => each.endsWith(`/${module}`));
    return path === undefined || !readFileSync(join(PROJECT_ROOT, path), "utf8").includes(source);
  });
  assert.deepEqual(gone, []);
});
