import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, statfsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ROOT } from "../tidy/source-files.ts";

/**
 * `npm test`: runs all test files, or those named. `--durations` adds seconds per file; `--whole` lets slow tests do
 * all their work. Other options go to `node --test`. Test files share compiled code on disk, so that each process
 * starts in half the time. Temporary files lie in memory where they can: no test is about a loss of power.
 */

const ALL = ["packages/**/*.test.ts", "apps/**/*.test.ts", "test/**/*.test.ts"];

/** One file a core. Node itself leaves one core free, which halves the speed of two. */
const CONCURRENCY = Math.max(2, availableParallelism());

/** Linux keeps this folder in memory. */
const MEMORY = "/dev/shm";

/** Databases of all test files that run at the same time, in bytes, with room to spare. */
const MEMORY_NEEDED = 2 ** 30;

/** The folder for temporary files where it can be in memory. */
function memoryFolder(): { TMPDIR?: string } {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= MEMORY_NEEDED ? { TMPDIR: MEMORY } : {};
  } catch {
    return {};
  }
}

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
    env: {
      NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/node"),
      ...memoryFolder(),
      ...(given.includes("--whole") ? { LATCHKEY_TESTS: "whole" } : {}),
      ...process.env,
    },
    stdio: "inherit",
  },
);
const [status] = (await once(child, "close")) as [number | null];
process.exitCode = status ?? 1;
