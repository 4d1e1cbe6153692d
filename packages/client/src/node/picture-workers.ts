import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { PictureAnswer } from "./pictures/picture-worker.ts";

/** Heap of a worker in mebibytes; pixels lie outside of it, bounded by what a file's header is allowed to state. */
const WORKER_HEAP_MB = 64;

/** Time after which a worker without work is ended, in milliseconds: its start costs more than a small picture. */
const IDLE_MS = 2_000;

/** A worker that is ready for the next picture. */
let idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout } | undefined;

function takeWorker(): Worker {
  if (idle !== undefined) {
    const { worker, timer } = idle;
    idle = undefined;
    clearTimeout(timer);
    worker.ref();
    return worker;
  }
  return new Worker(new URL("./pictures/picture-worker.ts", import.meta.url), {
    execArgv: [],
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB, maxYoungGenerationSizeMb: 16 },
  });
}

/** Keeps one worker for the next picture for a while, without holding the process. */
function giveBack(worker: Worker): void {
  if (idle !== undefined) {
    void worker.terminate();
    return;
  }
  worker.unref();
  const timer = setTimeout(() => {
    idle = undefined;
    void worker.terminate();
  }, IDLE_MS);
  timer.unref();
  idle = { worker, timer };
}

/**
 * Has a picture decoded in a worker thread with bounded memory. The signal ends the worker and rejects with its reason; a
 * worker that fails rejects with its error. Neither is used again.
 */
export async function decodeInWorker(picture: Uint8Array, signal: AbortSignal): Promise<PictureAnswer> {
  const worker = takeWorker();
  const over = new AbortController();
  const waiting = { signal: AbortSignal.any([signal, over.signal]) };
  try {
    const ended = once(worker, "exit", waiting).then(() => Promise.reject(new Error("the worker ended")));
    const answered = once(worker, "message", waiting) as Promise<[PictureAnswer]>;
    worker.postMessage(picture);
    const [answer] = await Promise.race([answered, ended]);
    giveBack(worker);
    return answer;
  } catch (error) {
    await worker.terminate();
    throw error;
  } finally {
    over.abort();
  }
}
