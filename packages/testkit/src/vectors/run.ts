import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { UnsupportedError, type CryptoProvider } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { isFields } from "./fields.ts";
import { kindOf } from "./kinds.ts";

/** One case that failed, by its place in the file from 0; `case` is null when the file as a whole cannot be run. */
export interface VectorFailure {
  readonly case: number | null;
  readonly reason: string;
}

export interface VectorFileReport {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly failures: readonly VectorFailure[];
  /** How many cases were left out for each reason. */
  readonly unsupportedReasons: Readonly<Record<string, number>>;
}

export interface VectorReport {
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly files: readonly VectorFileReport[];
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unusable(file: string, reason: string): VectorFileReport {
  return { file, passed: 0, failed: 1, unsupported: 0, failures: [{ case: null, reason }], unsupportedReasons: {} };
}

/**
 * Runs the cases of one file. A case fails when anything but an UnsupportedError is thrown; a file of no known kind,
 * or without a case, counts as one failure, because it proves nothing. The engine runs on `crypto`.
 */
export async function runVectorCases(
  file: string,
  cases: unknown,
  crypto: CryptoProvider = nodeCrypto,
): Promise<VectorFileReport> {
  if (!Array.isArray(cases) || cases.length === 0) return unusable(file, "the file holds no list of cases");
  const kind = kindOf(file, cases);
  if (kind === undefined) return unusable(file, "neither name nor first case is of a known vector format");
  let passed = 0;
  const failures: VectorFailure[] = [];
  const unsupportedReasons: Record<string, number> = {};
  for (const [index, vector] of (cases as readonly unknown[]).entries()) {
    try {
      if (!isFields(vector)) throw new TypeError("the case is not an object");
      await kind.verify(vector, crypto);
      passed++;
    } catch (error) {
      const reason = reasonOf(error);
      if (error instanceof UnsupportedError) unsupportedReasons[reason] = (unsupportedReasons[reason] ?? 0) + 1;
      else failures.push({ case: index, reason });
    }
  }
  const unsupported = cases.length - passed - failures.length;
  return { file, passed, failed: failures.length, unsupported, failures, unsupportedReasons };
}

/** Runs one vector file; throws the error of the file system when it cannot be read. */
export async function runVectorFile(path: string, crypto: CryptoProvider = nodeCrypto): Promise<VectorFileReport> {
  const text = await readFile(path, "utf8");
  const file = basename(path);
  try {
    return await runVectorCases(file, JSON.parse(text), crypto);
  } catch (error) {
    if (error instanceof SyntaxError) return unusable(file, `the file is not JSON: ${error.message}`);
    throw error;
  }
}

/** Runs files one after the other and adds up. */
export async function runVectorFiles(
  paths: readonly string[],
  crypto: CryptoProvider = nodeCrypto,
): Promise<VectorReport> {
  const files: VectorFileReport[] = [];
  for (const path of paths) files.push(await runVectorFile(path, crypto));
  const sum = (name: "passed" | "failed" | "unsupported") => files.reduce((total, file) => total + file[name], 0);
  return { passed: sum("passed"), failed: sum("failed"), unsupported: sum("unsupported"), files };
}
