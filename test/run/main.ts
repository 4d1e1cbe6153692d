import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { findPostgres, NO_POSTGRES } from "../../packages/node/src/testing/postgres.ts";
import { ROOT } from "../tidy/source-files.ts";
import { testEnvironment } from "./environment.ts";

/**
 * `npm test`: runs all test files, or those named. `--durations` adds seconds per file; `--whole` lets slow tests do
 * all their work. With LATCHKEY_POSTGRES=required in the environment a machine without PostgreSQL fails. Other options go to `node --test`.
 */

const ALL = ["packages/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"];

/** Three files for two cores, because tests of clients wait for their node. Node itself leaves one core free. */
const CONCURRENCY = Math.ceil(1.5 * Math.max(2, availableParallelism()));

const given = process.argv.slice(2);
const files = given.filter((word) => word.endsWith(".test.ts"));
const options = given.filter((word) => !files.includes(word) && word !== "--durations" && word !== "--whole");
const reporters = given.includes("--durations")
  ? ["spec", join(ROOT, "test/run/durations.ts")].flatMap((name) => [
      `--test-reporter=${name}`,
      "--test-reporter-destination=stdout",
    ])
  : [];

// Ctrl-C reaches the test runner too. It ends its files, and this process ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));

const child = spawn(
  process.execPath,
  [
    "--test",
    "--test-timeout=120000",
    `--test-concurrency=${CONCURRENCY}`,
    ...reporters,
    ...options,
    ...(files.length === 0 ? ALL : files),
  ],
  {
    cwd: ROOT,
    env: { ...testEnvironment(), ...(given.includes("--whole") ? { LATCHKEY_TESTS: "whole" } : {}), ...process.env },
    stdio: "inherit",
  },
);
const [status] = (await once(child, "close")) as [number | null];
process.exitCode = status ?? 1;

if (files.length === 0 && findPostgres() === undefined) {
  console.log(`\nPGS-01 to PGS-09 DID NOT RUN: ${NO_POSTGRES}.`);
  if (process.env["LATCHKEY_POSTGRES"] === "required") process.exitCode = 1;
}
