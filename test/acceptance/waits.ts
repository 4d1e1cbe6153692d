import type { Wrap } from "./support.ts";

/** Waits that end when the test says so. */
export class Waits {
  readonly #open: (() => void)[] = [];
  readonly #begun: (() => void)[] = [];

  /** An environment whose every wait is one of these; a pause of no time is none. */
  readonly wrap: Wrap = (environment) => {
    const { clock } = environment;
    const sleep = (ms: number, signal?: AbortSignal) =>
      ms === 0
        ? clock.sleep(ms, signal)
        : new Promise<void>((resolve, reject) => {
            this.#open.push(resolve);
            signal?.addEventListener("abort", () => reject(new Error("the test is over")), { once: true });
            this.#begun.shift()?.();
          });
    return {
      ...environment,
      clock: { nowNs: () => clock.nowNs(), timeout: (ms) => clock.timeout(ms), sleep },
    };
  };

  /** Resolves when somebody waits. */
  async begun(): Promise<void> {
    if (this.#open.length === 0) await new Promise<void>((resolve) => this.#begun.push(resolve));
  }

  /** Ends all that are under way. */
  end(): void {
    for (const resolve of this.#open.splice(0)) resolve();
  }
}
