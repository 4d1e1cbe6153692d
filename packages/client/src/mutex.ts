import { untilAborted } from "./callbacks.ts";

/** Runs tasks one after the other, in the order they came; a failing task does not stop the next. */
export class Mutex {
  #tail: Promise<unknown> = Promise.resolve();

  /** A task whose signal is aborted while it waits for its turn never begins; then the signal's reason is thrown at once. */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#tail;
    const turn = signal === undefined ? before : untilAborted(() => before, signal);
    const result = turn.then(task);
    // Whoever gives up waiting does not let the next one begin early.
    this.#tail = Promise.allSettled([before, result]);
    return result;
  }
}
