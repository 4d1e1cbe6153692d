import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the process of a node has used. */
export interface Usage {
  /** Processor time in microseconds, of all its threads. */
  readonly cpuMicros: number;
  /** Resident memory, in bytes. */
  readonly rss: number;
}

/** A node in a process of its own, with its database in a directory that goes when it stops. */
export class BenchServer {
  readonly url: string;
  readonly directory: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, directory: string) {
    this.#child = child;
    this.url = url;
    this.directory = directory;
  }

  /** Starts one below a directory on a disk, by default where the system keeps temporary files; or on a PostgreSQL database. */
  static async start(parent: string = tmpdir(), database?: string): Promise<BenchServer> {
    const directory = mkdtempSync(join(parent, "latchkey-bench-"));
    const child = fork(new URL("./serve.ts", import.meta.url), [database ?? join(directory, "node")]);
    const [url] = (await once(child, "message")) as [string];
    return new BenchServer(child, url, directory);
  }

  /** Asks the process what it has used so far. */
  async usage(): Promise<Usage> {
    const answer = once(this.#child, "message") as Promise<[Usage]>;
    this.#child.send("usage");
    return (await answer)[0];
  }

  /** Whether the process lives. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async stop(): Promise<void> {
    if (this.isAlive) {
      const exited = once(this.#child, "exit");
      this.#child.disconnect();
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
    await this.stop();
  }
}
