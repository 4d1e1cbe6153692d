import type { Style } from "../style.ts";

/** One part of the story and how long it took. */
export interface StepTime {
  /** For programs. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly ms: number;
}

/** Tells the story while it happens, measures its steps, and keeps what did not hold. */
export class Stage {
  readonly style: Style;
  readonly #write: (text: string) => unknown;
  readonly #signal: AbortSignal;
  readonly #steps: StepTime[] = [];
  readonly #failures: string[] = [];

  constructor(style: Style, write: (text: string) => unknown, signal: AbortSignal) {
    this.style = style;
    this.#write = write;
    this.#signal = signal;
  }

  get steps(): readonly StepTime[] {
    return this.#steps;
  }

  /** What did not hold, in the words of its check. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Runs one part of the story under its heading; throws the signal's reason once it is aborted. */
  async step<T>(name: string, title: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    this.line();
    this.line(this.style.bold(`${this.#steps.length + 1}. ${title}`));
    const startedMs = performance.now();
    const result = await work();
    this.#steps.push({ name, title, ms: Math.round(performance.now() - startedMs) });
    return result;
  }

  /** Says whether something holds; the demo only succeeds when all of it does. */
  check(claim: string, holds: boolean): void {
    if (!holds) this.#failures.push(claim);
    this.line(`   ${holds ? this.style.good("✓") : this.style.bad("✗")} ${claim}`);
  }

  line(text = ""): void {
    this.#write(`${text}\n`);
  }
}
