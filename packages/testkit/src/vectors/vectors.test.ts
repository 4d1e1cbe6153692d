import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { test, type TestContext } from "node:test";
import type { CryptoProvider } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { webCrypto } from "@latchkey/mls/web";
import type { Fields } from "./fields.ts";
import { WHOLE } from "../whole.ts";
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
 * Cases of a cipher suite and official file that run where all of them take long, the smallest: on the provider of
 * browsers (40 s) and for TreeKEM (18 s), most of it for 448- and 521-bit curves. `npm run vectors`, with
 * `--provider web` or without, and `npm run test:whole` run all of them.
 */
const SAMPLE = 3;

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

function smallestOfEachSuite(cases: readonly Fields[]): readonly Fields[] {
  const suites = Map.groupBy(cases, (vector) => vector["cipher_suite"]);
  const size = (vector: Fields): number => JSON.stringify(vector).length;
  return [...suites].flatMap(([suite, each]) =>
    suite === undefined ? each : each.toSorted((a, b) => size(a) - size(b)).slice(0, SAMPLE),
  );
}

async function assertSamplePasses(path: string, crypto: CryptoProvider): Promise<void> {
  const cases = smallestOfEachSuite(JSON.parse(await readFile(path, "utf8")) as Fields[]);
  assert.ok(cases.length > 0);
  assertAllPassed(await runVectorCases(basename(path), cases, crypto), cases.length);
}

for (const path of paths) {
  const file = basename(path);
  const sampled = !WHOLE && file === "treekem.json";
  test(`${sampled ? "official cases pass" : "every official case passes"}: ${file}`, async (context) => {
    if (!isThere(path, context)) return;
    if (sampled) await assertSamplePasses(path, nodeCrypto);
    else assertAllPassed(await runVectorFile(path), CASES[file]);
  });

  test(`official cases pass on the provider of browsers: ${file}`, async (context) => {
    if (!isThere(path, context)) return;
    if (WHOLE) assertAllPassed(await runVectorFile(path, webCrypto), CASES[file]);
    else await assertSamplePasses(path, webCrypto);
  });
}
