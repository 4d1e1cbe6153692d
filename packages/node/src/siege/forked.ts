import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A process of its own, which says when it is ready and then answers one question at a time. */
export class Forked {
  readonly process: ChildProcess;
  /** The first message of the process. */
  readonly greeting: unknown;

  private constructor(process: ChildProcess, greeting: unknown) {
    this.process = process;
    this.greeting = greeting;
  }

  static async start(script: URL, args: readonly string[] = [], execArgv: readonly string[] = []): Promise<Forked> {
    const child = fork(script, [...args], { execArgv: [...execArgv] });
    const ended = once(child, "exit").then(() => {
      throw new Error("a process of the siege did not start");
    });
    const [greeting] = (await Promise.race([once(child, "message"), ended])) as [unknown];
    ended.catch(() => undefined);
    return new Forked(child, greeting);
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** The answer to a question; throws when the process ends before. */
  async ask(question: unknown): Promise<unknown> {
    const settled = new AbortController();
    const ended = once(this.process, "exit", { signal: settled.signal }).then(() => {
      throw new Error("a process of the siege has ended");
    });
    try {
      const answered = once(this.process, "message", { signal: settled.signal });
      this.process.send(question as object);
      const [answer] = (await Promise.race([answered, ended])) as [unknown];
      return answer;
    } finally {
      ended.catch(() => undefined);
      settled.abort();
    }
  }

  /** Lets the process end by itself. */
  async leave(): Promise<void> {
    const exited = once(this.process, "exit");
    this.process.disconnect();
    await exited;
  }

  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }
}

/** Greets the process that has forked this one, answers its questions, and ends with it. */
export function serveParent(greeting: unknown, answer: (question: unknown) => unknown): void {
  process.on("message", (question) => {
    void Promise.resolve(answer(question)).then((said) => process.send?.(said ?? null, undefined, {}, () => undefined));
  });
  process.once("disconnect", () => process.exit());
  process.send?.(greeting ?? null);
}
