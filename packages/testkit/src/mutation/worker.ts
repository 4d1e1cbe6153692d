import { registerHooks } from "node:module";
import { inspect } from "node:util";
import { SWITCH } from "./switch.ts";

/** What the parent asks for: load everything once, then run tests with one mutant awake, or none. */
export type Request =
  | {
      readonly kind: "load";
      readonly mutant: number | null;
      readonly sources: ReadonlyMap<string, string>;
      readonly tests: readonly string[];
    }
  | { readonly kind: "run"; readonly mutant: number | null; readonly tests: readonly string[] };

/** `reached` are the mutants whose places were come by. */
export type Answer =
  | { readonly kind: "loaded"; readonly tests: readonly string[]; readonly reached: readonly number[] }
  | { readonly kind: "ran"; readonly results: readonly TestResult[] };

export interface TestResult {
  readonly test: string;
  readonly error: string | undefined;
  readonly ms: number;
  readonly reached: readonly number[];
}

/** As much of node:test's context as the tests here use. */
interface Context {
  diagnostic(): void;
  after(cleanup: () => unknown): void;
}
type Body = (context: Context) => unknown;

const TEST_MODULE = "mutation:test";
const tests = new Map<string, Body>();
let prefix = "";
let active: number | null = null;
let reached = new Set<number>();
let stray: unknown;

function register(name: string, ...rest: readonly unknown[]): void {
  tests.set(prefix + name, rest.at(-1) as Body);
}

function describe(name: string, body: () => void): void {
  const before = prefix;
  prefix += `${name} > `;
  body();
  prefix = before;
}

Object.assign(globalThis, {
  __mutationTests: { test: register, describe },
  [SWITCH]: (id: number): boolean => {
    reached.add(id);
    return id === active;
  },
});

/** Puts the instrumented sources in place of the files, and a collector of tests in place of node:test. */
function hook(sources: ReadonlyMap<string, string>): void {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "node:test" ? { url: TEST_MODULE, shortCircuit: true } : next(specifier, context),
    load(url, context, next) {
      if (url === TEST_MODULE) {
        const source = "export const { test, describe } = globalThis.__mutationTests;";
        return { format: "module", source, shortCircuit: true };
      }
      const source = sources.get(url);
      return source === undefined ? next(url, context) : { format: "module-typescript", source, shortCircuit: true };
    },
  });
}

async function runTest(test: string): Promise<TestResult> {
  const body = tests.get(test);
  if (body === undefined) throw new Error(`there is no test ${test}`);
  const cleanups: (() => unknown)[] = [];
  const context: Context = { diagnostic: () => undefined, after: (cleanup) => cleanups.push(cleanup) };
  const start = performance.now();
  reached = new Set();
  stray = undefined;
  let error: unknown;
  try {
    await body(context);
    for (const cleanup of cleanups) await cleanup();
    // A promise that nobody waited for is heard of in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    error = stray;
  } catch (thrown) {
    error = thrown ?? "undefined was thrown";
  }
  const ms = performance.now() - start;
  return { test, error: error === undefined ? undefined : inspect(error), ms, reached: [...reached] };
}

async function answer(request: Request): Promise<Answer> {
  active = request.mutant;
  if (request.kind === "load") {
    hook(request.sources);
    for (const url of request.tests) {
      prefix = `${url.slice(url.lastIndexOf("/") + 1)}: `;
      await import(url);
    }
    return { kind: "loaded", tests: [...tests.keys()], reached: [...reached] };
  }
  const results: TestResult[] = [];
  for (const test of request.tests) {
    const result = await runTest(test);
    results.push(result);
    if (result.error !== undefined) break;
  }
  return { kind: "ran", results };
}

process.on("unhandledRejection", (reason) => (stray = reason ?? "a rejection"));
process.on("uncaughtException", (error) => (stray = error));
process.on("message", (request: Request) => {
  void answer(request).then(
    (message) => process.send?.(message),
    () => process.exit(1),
  );
});
