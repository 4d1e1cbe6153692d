import { asError, isAborted } from "./clock.ts";

/**
 * The outcome of work that may never end, such as a callback of the application; rejects with the signal's reason as soon
 * as it is aborted, and does not begin when it is already.
 */
export function untilAborted<T>(work: () => T | PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(asError(signal?.reason));
    if (isAborted(signal)) {
      stop();
      return;
    }
    signal?.addEventListener("abort", stop, { once: true });
    const end = () => signal?.removeEventListener("abort", stop);
    void Promise.resolve().then(work).finally(end).then(resolve, reject);
  });
}

/** Calls a listener of the application; what it throws, or rejects with, is ignored and ends nothing. */
export function tell<A extends unknown[]>(listener: ((...args: A) => unknown) | undefined, ...args: A): void {
  try {
    const answer = listener?.(...args);
    if (answer instanceof Promise) answer.catch(() => undefined);
  } catch {
    // A listener that fails must not become a reason to fail.
  }
}
