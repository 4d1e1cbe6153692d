import { NodeError } from "../errors.ts";
import type { NodeLimits } from "../limits.ts";
import type { Metrics } from "../metrics.ts";
import { RateLimiter } from "../rate-limiter.ts";
import { createTaskRunner, type Task, type TaskResult } from "./tasks.ts";
import { received, workPool } from "./work-pool.ts";

/** For whom a task is run. */
export interface WorkOptions {
  readonly address: string;
  /** What the task probably takes, in microseconds. */
  readonly estimateMicros: number;
  /** True for what every newcomer sends once, and for the rest of a task: charged, and not refused for earlier charges. */
  readonly isAdmitted?: boolean;
}

/** Runs tasks; what they throw is thrown. */
export interface Work {
  run<T extends Task>(task: T, options: WorkOptions): Promise<TaskResult<T>>;
}

/** Work in the caller's own thread, without budgets: for a simulation. */
export function inlineWork(): Work {
  const run = createTaskRunner();
  return {
    async run<T extends Task>(task: T) {
      return (await run(task)) as TaskResult<T>;
    },
  };
}

/** Microseconds of the event loop's own thread that tasks may take at once, and per second. */
const INLINE = { burst: 200_000, perSecond: 50_000 };

/** The longest task that the event loop's own thread runs, in microseconds: registering takes about six milliseconds. */
const INLINE_MICROS = 10_000;

/**
 * Work within a budget of microseconds for each address. Short tasks run at once while they take a twentieth of the event
 * loop's time; all others wait for a thread of their own.
 */
export function budgetedWork(limits: NodeLimits, metrics: Metrics, monotonicMs: () => number): Work {
  const { workBurstMicros: burst, workMicrosPerSecond: perSecond, rateLimiterKeys: maxKeys } = limits;
  const budgets = new RateLimiter({ burst, perSecond, maxKeys, monotonicMs });
  const inline = new RateLimiter({ ...INLINE, maxKeys: 1, monotonicMs });
  const runHere = createTaskRunner();

  async function runInline(task: Task, charge: (micros: number) => void): Promise<unknown> {
    const startedMs = performance.now();
    try {
      return await runHere(task);
    } finally {
      const micros = (performance.now() - startedMs) * 1_000;
      inline.charge("", micros);
      charge(micros);
    }
  }

  async function runApart(task: Task, address: string, charge: (micros: number) => void): Promise<unknown> {
    const { result, error, micros } = await workPool.run(task, address);
    charge(micros);
    if (error !== undefined) throw received(error);
    return result;
  }

  return {
    async run<T extends Task>(task: T, { address, estimateMicros, isAdmitted = false }: WorkOptions) {
      const retryAfterMs = isAdmitted ? 0 : budgets.wait(address);
      if (retryAfterMs > 0) {
        metrics.rateLimited.inc({ scope: "work" });
        const text = "this address has used up the time for verifying what it sends; wait";
        throw new NodeError("RATE_LIMITED", text, { retryable: true, retryAfterMs });
      }
      const charge = (micros: number): void => {
        metrics.workSeconds.inc(micros / 1e6);
        budgets.charge(address, micros);
      };
      const isShort = estimateMicros <= INLINE_MICROS && inline.wait("") === 0;
      return (await (isShort ? runInline(task, charge) : runApart(task, address, charge))) as TaskResult<T>;
    },
  };
}
