import { parseArgs } from "node:util";
import type { CryptoProvider } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { webCrypto } from "@latchkey/mls/web";
import { officialVectorFiles } from "./official.ts";
import { runVectorFiles, type VectorReport } from "./run.ts";

const SHOWN_FAILURES = 3;

/** What `--provider` may name. */
const PROVIDERS = new Map<string, CryptoProvider>([
  ["node", nodeCrypto],
  ["web", webCrypto],
]);

function print(report: VectorReport): void {
  const width = Math.max(5, ...report.files.map(({ file }) => file.length));
  const row = (name: string, passed: unknown, failed: unknown, unsupported: unknown) =>
    [name.padEnd(width), ...[passed, failed, unsupported].map((value) => String(value).padStart(12))].join("");
  console.log(row("file", "passed", "failed", "unsupported"));
  for (const file of report.files) {
    console.log(row(file.file, file.passed, file.failed, file.unsupported));
    for (const failure of file.failures.slice(0, SHOWN_FAILURES)) {
      console.log(`  FAILED ${failure.case === null ? "file" : `case ${failure.case}`}: ${failure.reason}`);
    }
    if (file.failures.length > SHOWN_FAILURES) console.log(`  … and ${file.failures.length - SHOWN_FAILURES} more`);
  }
  console.log(row("total", report.passed, report.failed, report.unsupported));
  const reasons = new Map<string, number>();
  for (const { unsupportedReasons } of report.files) {
    for (const [reason, count] of Object.entries(unsupportedReasons)) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    }
  }
  if (reasons.size > 0) console.log("\nunsupported:");
  for (const [reason, count] of reasons) console.log(`${String(count).padStart(6)}  ${reason}`);
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between files and flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const options = {
    json: { type: "boolean", default: false },
    provider: { type: "string", default: "node" },
  } as const;
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
  const crypto = PROVIDERS.get(values.provider);
  if (crypto === undefined) {
    console.error(`there is no provider ${values.provider}; expected one of: ${[...PROVIDERS.keys()].join(", ")}`);
    return 1;
  }
  let paths = positionals;
  if (paths.length === 0) {
    const official = officialVectorFiles();
    if (official.missing.length > 0) {
      console.error("OFFICIAL VECTORS NOT FOUND: nothing was verified. Missing:");
      for (const path of official.missing) console.error(`  ${path}`);
      console.error("Clone mlswg/mls-implementations and set MLS_VECTORS_DIR to its directory test-vectors.");
      return 1;
    }
    paths = official.paths;
  }
  const report = await runVectorFiles(paths, crypto);
  print(report);
  if (values.json) console.log(JSON.stringify(report));
  return report.failed === 0 && report.unsupported === 0 && report.passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
