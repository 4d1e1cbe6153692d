import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

const CORRUPT_CODES = new Set([11, 26]);

/** Looks through a database from a thread of its own, and says what is wrong; nothing when it is whole. */
function inspect(path: string): string | undefined {
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const verdict = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
      return verdict === "ok" ? undefined : String(verdict);
    } finally {
      database.close();
    }
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
    if (CORRUPT_CODES.has(code)) return String(error);
    throw error;
  }
}

parentPort?.postMessage(inspect(String(workerData)));
