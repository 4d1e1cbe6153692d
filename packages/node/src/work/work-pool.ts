import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { LatchkeyError } from "@latchkey/mls";
import { NodeError, type NodeErrorCode } from "../errors.ts";
import type { Task } from "./tasks.ts";
import type { SentError, WorkerAnswer } from "./worker.ts";

/** Threads that verify signatures: each takes about 70 MiB, and one core is left to everything else. */
const THREADS = Math.max(1, Math.min(2, availableParallelism() - 1));

/** Megabytes of the heap of one thread. */
const THREAD_HEAP_MB = 128;

/** Tasks of one address that wait, beyond which the next is told to come again. */
const MAX_WAITING = 64;

interface Job {
  readonly task: Task;
  readonly done: (answer: WorkerAnswer) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Runs tasks in threads of their own, shared by all nodes of a process. Addresses take turns, so the many tasks of one
 * keep no other's waiting for more than one task.
 */
class WorkPool {
  /** Waiting jobs of each address, in the order of their turns. */
  readonly #waiting = new Map<string, Job[]>();
  readonly #idle: Worker[] = [];
  #threads = 0;

  /** Throws NodeError `RATE_LIMITED` when too many tasks of the address wait already. */
  run(task: Task, address: string): Promise<WorkerAnswer> {
    const queue = this.#waiting.get(address) ?? [];
    if (queue.length >= MAX_WAITING) {
      const text = `${queue.length} updates and key packages of this address wait to be verified; try again`;
      throw new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs: 1_000 });
    }
    return new Promise((done, failed) => {
      queue.push({ task, done, failed });
      this.#waiting.set(address, queue);
      this.#next();
    });
  }

  #next(): void {
    const turn = this.#waiting.entries().next();
    if (turn.done === true) return;
    const worker = this.#idle.pop() ?? this.#start();
    if (worker === undefined) return;
    const [address, queue] = turn.value;
    const job = queue.shift();
    this.#waiting.delete(address);
    if (queue.length > 0) this.#waiting.set(address, queue);
    if (job !== undefined) this.#give(worker, job);
  }

  #give(worker: Worker, { task, done, failed }: Job): void {
    const onMessage = (answer: WorkerAnswer): void => {
      worker.off("exit", onExit);
      this.#idle.push(worker);
      done(answer);
      this.#next();
    };
    const onExit = (): void => {
      worker.off("message", onMessage);
      this.#threads--;
      failed(new NodeError("NODE_BUSY", "the verification was interrupted; try again", { retryable: true }));
      this.#next();
    };
    worker.once("message", onMessage);
    worker.once("exit", onExit);
    worker.postMessage(task);
  }

  #start(): Worker | undefined {
    if (this.#threads >= THREADS) return undefined;
    this.#threads++;
    const resourceLimits = { maxOldGenerationSizeMb: THREAD_HEAP_MB };
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { resourceLimits });
    worker.on("error", () => undefined); // Told by "exit", which follows.
    worker.unref();
    return worker;
  }
}

/** The threads of this process. */
export const workPool = new WorkPool();

/** The error that a worker has sent, with its code and rule. */
export function received({ family, code, message, rule }: SentError): Error {
  if (family === "unknown") return new Error(message);
  if (family === "node") return new NodeError(code as NodeErrorCode, message);
  return new LatchkeyError(code, message, rule === undefined ? {} : { rule });
}
