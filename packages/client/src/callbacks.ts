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

/** Errors that callbacks of applications have thrown, which leave a call as they are. */
const ofApplications = new WeakSet();

/** Runs a callback of the application; what it throws is its own, and leaves the public call unchanged. */
export async function byApplication<T>(work: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (reason) {
    const error = asError(reason);
    ofApplications.add(error);
    throw error;
  }
}

/** Whether a callback of the application has thrown it. */
export function isOfApplication(error: unknown): boolean {
  return error instanceof Error && ofApplications.has(error);
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
