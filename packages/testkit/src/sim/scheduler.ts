import { createHash } from "node:crypto";
import { seededRandom, type SeededRandom } from "../random.ts";

/** Something that will happen, unless it is called off before. */
export interface Appointment {
  cancel(): void;
}

interface Entry {
  readonly atUs: number;
  readonly order: number;
  readonly label: string;
  run: (() => void | Promise<void>) | undefined;
}

/** When every simulation begins, in nanoseconds since 1970. */
const BEGINNING_NS = 1_800_000_000_000_000_000n;

/** Lines of the trace that are kept, the newest. */
const KEPT_LINES = 4_000;

/** Resolves when every promise that could go on by itself has done so: what remains waits for the schedule. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order);
}

/** A binary heap: the entry that comes first is taken first. */
class Agenda {
  readonly #heap: Entry[] = [];

  add(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(above, at)) return;
      at = above;
    }
  }

  take(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const lesser = right < heap.length && isBefore(heap[right] as Entry, heap[left] as Entry) ? right : left;
      if (lesser >= heap.length || !this.#swapUnlessOrdered(at, lesser)) return first;
      at = lesser;
    }
  }

  #swapUnlessOrdered(above: number, below: number): boolean {
    const [a, b] = [this.#heap[above], this.#heap[below]];
    if (a === undefined || b === undefined || !isBefore(b, a)) return false;
    this.#heap[above] = b;
    this.#heap[below] = a;
    return true;
  }
}

/**
 * Time and order of a simulated world. One thing happens at a time, at its virtual moment; then everything that it set
 * free runs until it waits for the schedule again. Nothing else moves: the same seed leads to the same steps, which the
 * hash of the trace shows.
 */
export class Scheduler {
  readonly seed: number;
  /** Things that happened. */
  steps = 0;
  #nowUs = 0;
  #order = 0;
  readonly #agenda = new Agenda();
  readonly #hash = createHash("sha256");
  readonly #lines: string[] = [];

  constructor(seed: number) {
    this.seed = seed;
  }

  /** Virtual nanoseconds since 1970. */
  get nowNs(): bigint {
    return BEGINNING_NS + BigInt(this.#nowUs) * 1_000n;
  }

  /** Virtual milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowUs / 1_000;
  }

  /** The newest lines of the trace: what was decided and what happened. */
  get trace(): readonly string[] {
    return this.#lines;
  }

  /** SHA-256 over the whole trace so far, in hex: equal for equal runs. */
  get traceHash(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Choices of one kind, so that leaving out one kind of trouble changes the others little. */
  randomFor(purpose: string): SeededRandom {
    const digest = createHash("sha256").update(`${this.seed}/${purpose}`).digest();
    return seededRandom(digest.readUInt32BE());
  }

  /** Writes a line of the trace. */
  note(line: string): void {
    const text = `${(this.#nowUs / 1_000).toFixed(3)} ${line}`;
    this.#hash.update(text).update("\n");
    this.#lines.push(text);
    if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, KEPT_LINES / 2);
  }

  /** Lets something happen after so many virtual milliseconds; an empty label leaves no line. */
  after(ms: number, label: string, run: () => void | Promise<void>): Appointment {
    const atUs = this.#nowUs + Math.max(0, Math.round(ms * 1_000));
    const entry: Entry = { atUs, order: this.#order++, label, run };
    this.#agenda.add(entry);
    return {
      cancel() {
        entry.run = undefined;
      },
    };
  }

  /** Resolves after so many virtual milliseconds. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, "", resolve));
  }

  /**
   * Runs until `story` is over, with `look` after each step; throws the error of either, and one of its own when nothing
   * is left that could happen, or after `maxSteps`.
   */
  async play<T>(story: Promise<T>, maxSteps: number, look: () => void): Promise<T> {
    const running = new Set([story]);
    const end = story.finally(() => running.clear());
    end.catch(() => undefined);
    for (;;) {
      await settled();
      look();
      if (running.size === 0) return end;
      if (this.steps >= maxSteps) throw new Error(`it is not over after ${maxSteps} steps`);
      if (!(await this.#step())) throw new Error("everybody waits and nothing is left that could happen");
    }
  }

  async #step(): Promise<boolean> {
    for (;;) {
      const entry = this.#agenda.take();
      if (entry === undefined) return false;
      if (entry.run === undefined) continue;
      this.#nowUs = entry.atUs;
      this.steps++;
      if (entry.label !== "") this.note(entry.label);
      await entry.run();
      return true;
    }
  }
}
