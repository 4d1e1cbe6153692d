import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Megabytes of heap that the attacked node has. */
const HEAP_MB = 1_024;

/** A node in a process of its own, with 1 GiB of heap, on loopback. */
export class Subject {
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #sampler: NodeJS.Timeout;
  #peakBytes = 0;

  private constructor(child: ChildProcess, url: string, directory: string) {
    this.#child = child;
    this.url = url;
    this.port = Number(new URL(url).port);
    this.#directory = directory;
    this.#sampler = setInterval(() => this.#sample(), 25);
  }

  static async start(): Promise<Subject> {
    const directory = mkdtempSync(join(tmpdir(), "latchkey-siege-"));
    const execArgv = [`--max-old-space-size=${HEAP_MB}`];
    const child = fork(new URL("./serve.ts", import.meta.url), [join(directory, "node")], { execArgv });
    const [url] = (await once(child, "message")) as [string];
    return new Subject(child, url, directory);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Most resident memory since the last call, in MiB; read from outside, so that a busy process is seen as well. */
  takePeakMiB(): number {
    this.#sample();
    const peak = this.#peakBytes;
    this.#peakBytes = 0;
    return Math.round(peak / 2 ** 20);
  }

  async stop(): Promise<void> {
    clearInterval(this.#sampler);
    if (this.isAlive) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    rmSync(this.#directory, { recursive: true });
  }

  #sample(): void {
    const path = `/proc/${String(this.#child.pid)}/status`;
    if (!existsSync(path)) return;
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(path, "utf8"))?.[1] ?? 0);
    this.#peakBytes = Math.max(this.#peakBytes, kib * 1_024);
  }
}
