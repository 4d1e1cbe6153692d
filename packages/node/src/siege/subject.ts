import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Forked } from "./forked.ts";

/** Megabytes of heap that the attacked node has. */
const HEAP_MB = 1_024;

/** Milliseconds that the node gets to say how long its event loop was held. */
const ANSWER_MS = 10_000;

/** A node in a process of its own, with 1 GiB of heap, on loopback. */
export class Subject {
  readonly url: string;
  readonly #child: Forked;
  readonly #directory: string;
  readonly #sampler: NodeJS.Timeout;
  #peakBytes = 0;

  private constructor(child: Forked, directory: string) {
    this.#child = child;
    this.url = String(child.greeting);
    this.#directory = directory;
    this.#sampler = setInterval(() => this.#sample(), 25);
  }

  /** On SQLite, or on a PostgreSQL database. `execArgv` goes to Node beside the bound of the heap, for a profile. */
  static async start(execArgv: readonly string[] = [], database?: string): Promise<Subject> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-siege-"));
    const script = new URL("./serve.ts", import.meta.url);
    const args = [`--max-old-space-size=${HEAP_MB}`, ...execArgv];
    return new Subject(await Forked.start(script, [database ?? join(directory, "node")], args), directory);
  }

  get isAlive(): boolean {
    return this.#child.isAlive;
  }

  /** How the process ended; empty while it lives. */
  get end(): string {
    return this.isAlive ? "" : String(this.#child.process.signalCode ?? this.#child.process.exitCode);
  }

  /** Most resident memory since the last call, in MiB; read from outside, so that a busy process is seen as well. */
  takePeakMiB(): number {
    this.#sample();
    const peak = this.#peakBytes;
    this.#peakBytes = 0;
    return Math.round(peak / 2 ** 20);
  }

  /** The most work since the last call without a turn of the node's event loop, in milliseconds of processor time. */
  async takeLoopMs(): Promise<number> {
    const late = Promise.withResolvers<number>();
    const timer = setTimeout(() => late.resolve(ANSWER_MS), ANSWER_MS);
    const asked = this.#child.ask("loop").then(Number, () => ANSWER_MS);
    return Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
  }

  /** Ends the process: at once, or by itself, so that a profile is written. */
  async stop(byItself = false): Promise<void> {
    clearInterval(this.#sampler);
    if (byItself) await this.#child.leave();
    await this.#child.kill();
    rmSync(this.#directory, { recursive: true });
  }

  #sample(): void {
    const path = `/proc/${String(this.#child.process.pid)}/status`;
    if (!existsSync(path)) return;
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(path, "utf8"))?.[1] ?? 0);
    this.#peakBytes = Math.max(this.#peakBytes, kib * 1_024);
  }
}
