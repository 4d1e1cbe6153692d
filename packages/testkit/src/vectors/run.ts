import { open } from "node:fs/promises";
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

/** The largest official file has 3 MB; one of seventy times that is more likely a mistake. */
const MAX_FILE_BYTES = 200_000_000;

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

/** The cases of a file; throws an error with the reason when it cannot be read, is too large, or is not JSON. */
async function readCases(path: string): Promise<unknown> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw new RangeError(`the file has ${size} bytes; at most ${MAX_FILE_BYTES} are read`);
    return JSON.parse(await file.readFile("utf8"));
  } finally {
    await file.close();
  }
}

/** Runs one vector file; one that cannot be read counts as one failure, and others are run nevertheless. */
export async function runVectorFile(path: string, crypto: CryptoProvider = nodeCrypto): Promise<VectorFileReport> {
  const file = basename(path);
  let cases: unknown;
  try {
    cases = await readCases(path);
  } catch (error) {
    return unusable(file, error instanceof SyntaxError ? `the file is not JSON: ${error.message}` : reasonOf(error));
  }
  return runVectorCases(file, cases, crypto);
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
