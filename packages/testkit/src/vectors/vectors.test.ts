import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { test, type TestContext } from "node:test";
import { webCrypto } from "@latchkey/mls/web";
import { officialVectorFiles } from "./official.ts";
import { runVectorCases, runVectorFile, type VectorFileReport } from "./run.ts";

/** Cases per official file, all of which pass: one that silently drops out is seen. */
const CASES: Readonly<Record<string, number>> = {
  "crypto-basics.json": 7,
  "deserialization.json": 14,
  "key-schedule.json": 7,
  "message-protection.json": 7,
  "messages.json": 300,
  "passive-client-handling-commit.json": 91,
  "passive-client-random.json": 1,
  "passive-client-welcome.json": 56,
  "psk_secret.json": 77,
  "secret-tree.json": 21,
  "transcript-hashes.json": 7,
  "tree-math.json": 10,
  "tree-operations.json": 5,
  "tree-validation.json": 98,
  "treekem.json": 77,
  "welcome.json": 7,
};

/**
 * Characters of JSON that a TreeKEM case may have on the provider of browsers: the smallest trees of every suite. All
 * cases take 20 seconds there, most of it for 448- and 521-bit curves; `npm run vectors -- --provider web` runs them.
 */
const MAX_WEB_TREEKEM = 16_384;
const WEB_TREEKEM_CASES = 25;

const { paths, missing } = officialVectorFiles();

function isThere(path: string, context: TestContext): boolean {
  if (!missing.includes(path)) return true;
  const message = `OFFICIAL VECTORS NOT FOUND: ${basename(path)}; nothing was verified (set MLS_VECTORS_DIR)`;
  console.warn(message);
  context.diagnostic(message);
  return false;
}

function assertAllPassed({ passed, failed, unsupported, failures }: VectorFileReport, count: number | undefined): void {
  assert.deepEqual(failures, []);
  assert.deepEqual({ passed, failed, unsupported }, { passed: count, failed: 0, unsupported: 0 });
}

for (const path of paths) {
  const file = basename(path);
  test(`every official case passes: ${file}`, async (context) => {
    if (isThere(path, context)) assertAllPassed(await runVectorFile(path), CASES[file]);
  });

  test(`official cases pass on the provider of browsers: ${file}`, async (context) => {
    if (!isThere(path, context)) return;
    if (file !== "treekem.json") {
      assertAllPassed(await runVectorFile(path, webCrypto), CASES[file]);
      return;
    }
    const cases = JSON.parse(await readFile(path, "utf8")) as unknown[];
    const small = cases.filter((vector) => JSON.stringify(vector).length <= MAX_WEB_TREEKEM);
    assertAllPassed(await runVectorCases(file, small, webCrypto), WEB_TREEKEM_CASES);
  });
}
