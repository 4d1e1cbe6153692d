import { once } from "node:events";
import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { JudgeLogs } from "../identity/judge-ahead.ts";
import { requireLogs } from "./arguments.ts";
import type { SignatureAnswer, SignatureQuestion } from "./signature-worker.ts";

/** Threads of the process, shared by its clients: each takes about 50 MiB. */
const THREADS = Math.min(4, availableParallelism());

/** Updates for which the first thread is started, and each further one: a start takes as much CPU as verifying some hundred. */
const UPDATES_FOR_FIRST = 64;
const UPDATES_PER_THREAD = 256;

/** Updates that are worth the way to a thread that runs already. */
const MIN_UPDATES_IF_READY = 2;

/** Updates of one question: some milliseconds, so that threads share the work evenly. */
const UPDATES_AT_ONCE = 16;

/** Time after which a thread without work is ended, in milliseconds. */
const IDLE_MS = 30_000;

/** The worker's module has the extension of this one, as source and built. */
const WORKER_URL = new URL(`./signature-worker${extname(import.meta.url)}`, import.meta.url);

const idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];
let running = 0;

function takeWorker(): Worker {
  const ready = idle.pop();
  if (ready === undefined) return startWorker();
  clearTimeout(ready.timer);
  ready.worker.ref();
  return ready.worker;
}

function startWorker(): Worker {
  const worker = new Worker(WORKER_URL, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 128 } });
  // Whoever asks it sees that it ended; without a question nobody misses it.
  worker.on("error", () => undefined);
  return worker;
}

/** Keeps a thread for the next logs for a while, without holding the process. */
function giveBack(worker: Worker): void {
  worker.unref();
  const timer = setTimeout(() => {
    const at = idle.findIndex((entry) => entry.worker === worker);
    idle.splice(at, 1);
    void worker.terminate();
  }, IDLE_MS);
  timer.unref();
  idle.push({ worker, timer });
}

async function ask(worker: Worker, question: SignatureQuestion): Promise<SignatureAnswer> {
  const over = new AbortController();
  const waiting = { signal: over.signal };
  try {
    const ended = once(worker, "exit", waiting).then(() => Promise.reject(new Error("the worker ended")));
    worker.postMessage(question);
    const [answer] = (await Promise.race([once(worker, "message", waiting), ended])) as [SignatureAnswer];
    return answer;
  } finally {
    over.abort();
  }
}

/** The logs in parts of about as many updates; a log stays whole. */
function partsOf(logs: SignatureQuestion): { readonly at: number; readonly part: SignatureQuestion }[] {
  const parts: { at: number; part: (readonly Uint8Array[])[] }[] = [];
  let updates = UPDATES_AT_ONCE;
  for (const [at, log] of logs.entries()) {
    if (updates >= UPDATES_AT_ONCE) {
      parts.push({ at, part: [] });
      updates = 0;
    }
    parts.at(-1)?.part.push(log);
    updates += log.length;
  }
  return parts;
}

/**
 * Judges logs in threads with fast curves, where there are enough updates to be worth it. A thread that fails, or cannot be
 * started, leaves its part to be judged while it is replayed.
 *
 * @throws ARGUMENT_INVALID
 */
export const judgeInWorkers: JudgeLogs = async (given) => {
  const logs = requireLogs(given, "logs");
  const updates = logs.reduce((sum, log) => sum + log.length, 0);
  if (updates < (idle.length > 0 ? MIN_UPDATES_IF_READY : UPDATES_FOR_FIRST)) return undefined;
  const parts = partsOf(logs);
  const verdicts: (readonly (Uint8Array | undefined)[])[] = logs.map(() => []);
  const lane = async () => {
    let worker: Worker | undefined;
    running++;
    try {
      worker = takeWorker();
      for (let next = parts.shift(); next !== undefined; next = parts.shift()) {
        const answer = await ask(worker, next.part);
        for (const [index, given] of answer.entries()) verdicts[next.at + index] = given;
      }
      giveBack(worker);
    } catch {
      void worker?.terminate();
    } finally {
      running--;
    }
  };
  const worth = Math.max(idle.length, 1 + Math.floor(updates / UPDATES_PER_THREAD));
  const lanes = Math.min(parts.length, worth, Math.max(1, THREADS - running));
  await Promise.all(Array.from({ length: lanes }, lane));
  return verdicts;
};
