import type { LatchkeyError } from "@latchkey/mls";
import { isAborted } from "./clock.ts";
import { asLatchkeyError, codeOf } from "./errors.ts";

/** Runs tasks of which none keeps the others from being run: each may be about bytes of somebody else. */
export class Apart {
  readonly #signal: AbortSignal | undefined;
  #failure: LatchkeyError | undefined;

  /** An abort by `signal` ends everything: `run` throws then. */
  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Runs a task; false when it failed. */
  async run(task: () => Promise<unknown>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      if (isAborted(this.#signal)) throw error;
      // A group that waits for an identity update says so itself, and a Welcome is read again.
      if (codeOf(error) !== "IDENTITY_PENDING") this.#failure ??= asLatchkeyError(error);
      return false;
    }
  }

  /** Runs a task for each item, at most `width` at a time. */
  async each<T>(items: Iterable<T>, width: number, task: (item: T) => Promise<unknown>): Promise<void> {
    const left = items[Symbol.iterator]();
    const lane = async () => {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        const { value } = next;
        await this.run(() => task(value));
      }
    };
    await Promise.all(Array.from({ length: width }, lane));
  }

  /** Throws the first failure, if there was one. */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}
