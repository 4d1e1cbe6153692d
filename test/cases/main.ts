import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { testEnvironment } from "../run/environment.ts";
import { CASE_ID, idsIn, summarize, type Case } from "./cases.ts";

/** Runs the tests of all packages and apps that carry an id, and nothing else; see `docs/guarantees.md`. */

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDERS = ["packages", "apps", "test/acceptance"];

const { values } = parseArgs({ options: { json: { type: "boolean", default: false } } });

const files = FOLDERS.flatMap((folder) => testFiles(join(ROOT, folder))).filter((file) =>
  CASE_ID.test(readFileSync(file, "utf8")),
);
Object.assign(process.env, { ...testEnvironment(), ...process.env });
const seen: Case[] = [];
const see = (title: string, passed: boolean) => seen.push(...idsIn(title).map((id) => ({ id, title, passed })));

const results = run({ files, concurrency: 2, testNamePatterns: CASE_ID, timeout: 120_000 });
results.on("test:pass", ({ name }) => see(name, true));
results.on("test:fail", ({ name, details }) => {
  // A file that cannot even be loaded has no title; it must not go unnoticed.
  if (idsIn(name).length === 0) seen.push({ id: "FILE", title: name, passed: false });
  else see(name, false);
  process.stderr.write(
    `${name}\n  ${details.error.cause instanceof Error ? details.error.cause.message : details.error.message}\n`,
  );
});
results.on("end", () => {
  const summary = summarize(seen);
  if (!values.json) {
    for (const { id, title, passed } of summary.cases) console.log(`${passed ? "pass" : "FAIL"}  ${id}  ${title}`);
    console.log(`\n${summary.passed} passed, ${summary.failed} failed`);
  } else console.log(JSON.stringify(summary));
  process.exitCode = summary.failed === 0 ? 0 : 1;
});
results.resume();

function testFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules") return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.ts") ? [path] : [];
  });
}
