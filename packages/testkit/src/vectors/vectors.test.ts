import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { officialVectorFiles } from "./official.ts";
import { runVectorFile } from "./run.ts";

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

const { paths, missing } = officialVectorFiles();

for (const path of paths) {
  const file = basename(path);
  test(`every official case passes: ${file}`, async (context) => {
    if (missing.includes(path)) {
      const message = `OFFICIAL VECTORS NOT FOUND: ${file}; nothing was verified (set MLS_VECTORS_DIR)`;
      console.warn(message);
      context.diagnostic(message);
      return;
    }
    const { passed, failed, unsupported, failures } = await runVectorFile(path);
    assert.deepEqual(failures, []);
    assert.deepEqual({ passed, failed, unsupported }, { passed: CASES[file], failed: 0, unsupported: 0 });
  });
}
