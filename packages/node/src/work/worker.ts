import { parentPort } from "node:worker_threads";
import { LatchkeyError } from "@latchkey/mls";
import { NodeError } from "../errors.ts";
import { createTaskRunner, type Task } from "./tasks.ts";

/** An error on its way between threads. */
export interface SentError {
  readonly family: "node" | "protocol" | "unknown";
  readonly code: string;
  readonly message: string;
  readonly rule: string | undefined;
}

/** What a worker answers; `micros` is what the task took, in microseconds. */
export interface WorkerAnswer {
  readonly result?: unknown;
  readonly error?: SentError;
  readonly micros: number;
}

function sent(error: unknown): SentError {
  if (!(error instanceof LatchkeyError))
    return { family: "unknown", code: "", message: String(error), rule: undefined };
  const { code, message, rule } = error;
  return { family: error instanceof NodeError ? "node" : "protocol", code, message, rule };
}

const run = createTaskRunner();

async function answer(task: Task): Promise<WorkerAnswer> {
  const startedMs = performance.now();
  const micros = (): number => (performance.now() - startedMs) * 1_000;
  try {
    const result = await run(task);
    return { result, micros: micros() };
  } catch (error) {
    return { error: sent(error), micros: micros() };
  }
}

parentPort?.on("message", (task: Task) => void answer(task).then((message) => parentPort?.postMessage(message)));
