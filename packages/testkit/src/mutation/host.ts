import { fork, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import type { Answer, Request, TestResult } from "./worker.ts";

const WORKER = resolve(import.meta.dirname, "worker.ts");
const LOAD_LIMIT_MS = 60_000;

/** A process that has the instrumented modules and their tests loaded. */
export class Host {
  readonly #child: ChildProcess;
  readonly tests: readonly string[];
  /** Mutants whose places are come by while modules load: they are not woken up later. */
  readonly reachedByLoading: ReadonlySet<number>;

  private constructor(child: ChildProcess, { tests, reached }: Extract<Answer, { kind: "loaded" }>) {
    this.#child = child;
    this.tests = tests;
    this.reachedByLoading = new Set(reached);
  }

  /** Starts one; undefined when loading fails, or takes for ever, with this mutant awake from the beginning. */
  static async start(request: Omit<Extract<Request, { kind: "load" }>, "kind">): Promise<Host | undefined> {
    const child = fork(WORKER, { stdio: "ignore", serialization: "advanced", execArgv: [] });
    const answer = await ask(child, { kind: "load", ...request }, LOAD_LIMIT_MS);
    if (answer?.kind === "loaded") return new Host(child, answer);
    child.kill("SIGKILL");
    return undefined;
  }

  /** Runs tests up to the first that fails; undefined when the process dies or exceeds the limit, and it is gone then. */
  async run(
    mutant: number | null,
    tests: readonly string[],
    limitMs: number,
  ): Promise<readonly TestResult[] | undefined> {
    const answer = await ask(this.#child, { kind: "run", mutant, tests }, limitMs);
    if (answer?.kind === "ran") return answer.results;
    this.stop();
    return undefined;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

async function ask(child: ChildProcess, request: Request, limitMs: number): Promise<Answer | undefined> {
  const { promise, resolve: settle } = Promise.withResolvers<Answer | undefined>();
  const onExit = (): void => settle(undefined);
  const timer = setTimeout(onExit, limitMs);
  child.once("message", settle);
  child.once("exit", onExit);
  child.send(request);
  const answer = await promise;
  clearTimeout(timer);
  child.off("message", settle);
  child.off("exit", onExit);
  return answer;
}
