import { faultName, faultsOf, type Fault } from "./fault.ts";
import { operationNamed, OPERATIONS } from "./operations.ts";
import type { Operation } from "./scene.ts";
import { runPoint, type Verdict } from "./point.ts";
import { Intruder } from "./processes.ts";
import { World } from "./scenario.ts";

/** Which points are run. */
export interface MatrixOptions {
  /** At most so many, spread evenly over all of them; default: all. */
  readonly sample?: number;
  /** Names of the operations that are measured; default: all. */
  readonly operations?: readonly string[];
  /** Only points whose name contains this, such as `join-3/kill/inside/4` or `/full/`. */
  readonly only?: string;
  /** Whether the databases are encrypted; default: they are not. */
  readonly encrypted?: boolean;
  /** Told about every point that is done. */
  readonly onPoint?: (result: PointResult) => void;
}

/** One point and what is wrong with it, which should be nothing. */
export interface PointResult {
  readonly name: string;
  readonly struck: boolean;
  readonly lost: readonly string[];
  readonly torn: readonly string[];
  readonly reused: readonly string[];
}

/** The sum of a run; all counts but `points` and `struck` should be 0. */
export interface MatrixResult {
  readonly points: number;
  /** Points whose fault did happen. */
  readonly struck: number;
  readonly lost: number;
  readonly torn: number;
  readonly reused: number;
  readonly failures: readonly PointResult[];
}

interface Point {
  readonly operation: Operation;
  readonly fault: Fault;
}

function nameOf({ operation, fault }: Point): string {
  return `${operation.name}/${faultName(fault)}`;
}

/** A bench for points: one node, one other process, a scenario for each. */
class Bench {
  readonly #world: World;
  readonly #intruder = new Intruder();

  readonly #encrypted: boolean;

  private constructor(world: World, encrypted: boolean) {
    this.#world = world;
    this.#encrypted = encrypted;
  }

  static async start(encrypted: boolean): Promise<Bench> {
    return new Bench(await World.start(), encrypted);
  }

  async run({ operation, fault }: Point): Promise<Verdict> {
    const scenario = this.#world.newScenario(this.#encrypted);
    try {
      return await runPoint(scenario, operation, fault, this.#intruder);
    } catch (error) {
      const torn = [`the client could not go on: ${error instanceof Error ? (error.stack ?? "") : String(error)}`];
      return { lost: [], torn, reused: [], struck: true, extent: { transactions: 0, calls: 0 } };
    } finally {
      scenario.close();
    }
  }

  async stop(): Promise<void> {
    await this.#intruder.stop();
    await this.#world.stop();
  }
}

/** Every `n`-th of the points, so many as are asked for. */
function spread<T>(points: readonly T[], count: number): T[] {
  if (count >= points.length) return [...points];
  return Array.from(
    { length: count },
    (_, index) => points[Math.floor(((index + 0.5) * points.length) / count)],
  ).filter((point) => point !== undefined);
}

/**
 * Measures every operation once, undisturbed, and then runs it again with each fault it can meet: death around every
 * write, by exception and by SIGKILL, a network that fails at every call, a full disk, a database in other hands.
 */
export async function runMatrix(options: MatrixOptions = {}): Promise<MatrixResult> {
  const bench = await Bench.start(options.encrypted ?? false);
  const results: PointResult[] = [];
  const run = async (point: Point): Promise<Verdict> => {
    const verdict = await bench.run(point);
    const { struck, lost, torn, reused } = verdict;
    const result = { name: nameOf(point), struck, lost, torn, reused };
    results.push(result);
    options.onPoint?.(result);
    return verdict;
  };
  try {
    const only = options.only ?? "";
    const [wanted = ""] = only.split("/");
    const points: Point[] = [];
    const chosenOperations = options.operations?.map(operationNamed) ?? OPERATIONS;
    for (const operation of chosenOperations.filter(({ name }) => name.startsWith(wanted))) {
      const { extent } = await run({ operation, fault: { kind: "none" } });
      points.push(...faultsOf(extent).map((fault) => ({ operation, fault })));
    }
    const chosen = points.filter((point) => nameOf(point).includes(only));
    for (const point of spread(chosen, options.sample ?? chosen.length)) await run(point);
  } finally {
    await bench.stop();
  }
  const count = (kind: "lost" | "torn" | "reused") => results.filter((result) => result[kind].length > 0).length;
  return {
    points: results.length,
    struck: results.filter(({ struck }) => struck).length,
    lost: count("lost"),
    torn: count("torn"),
    reused: count("reused"),
    failures: results.filter(({ lost, torn, reused }) => lost.length + torn.length + reused.length > 0),
  };
}
