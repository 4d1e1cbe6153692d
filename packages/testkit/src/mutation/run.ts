import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { seededRandom } from "../random.ts";
import { PROJECT_ROOT, type MutationGroup } from "./groups.ts";
import { Host } from "./host.ts";
import { instrument } from "./instrument.ts";
import { findMutants, type Mutant } from "./operators.ts";

export type Fate =
  /** A test failed that passes without the mutant. */
  | { readonly kind: "killed"; readonly by: string }
  /** The tests did not come to an end, or the process did. */
  | { readonly kind: "timeout" }
  | { readonly kind: "survived"; readonly tests: number };

export interface Verdict {
  readonly mutant: Mutant;
  readonly fate: Fate;
}

export interface MutationOptions {
  readonly seed: number;
  /** Mutants to try; all of them when there are fewer. */
  readonly sample: number;
  /** Only modules whose path contains one of these; all modules when there is none. */
  readonly modules: readonly string[];
  readonly onVerdict?: (verdict: Verdict) => void;
}

const GRACE_MS = 5_000;
const SLOWER = 5;
const BASELINE_LIMIT_MS = 600_000;

const urlOf = (path: string): string => pathToFileURL(join(PROJECT_ROOT, path)).href;

interface Baseline {
  /** What every test took, quickest first. */
  readonly ms: ReadonlyMap<string, number>;
  /** The tests that come by a mutant's place, quickest first. */
  readonly reaching: ReadonlyMap<number, readonly string[]>;
}

/** Runs every test without a mutant. Throws when one fails: nothing could be told by it then. */
async function measure(host: Host, leftOut: RegExp): Promise<Baseline> {
  const tests = host.tests.filter((test) => !leftOut.test(test));
  const results = await host.run(null, tests, BASELINE_LIMIT_MS);
  const failed = results?.find(({ error }) => error !== undefined);
  if (results === undefined || failed !== undefined) {
    throw new Error(`without any mutant: ${failed?.test ?? "the process"} failed: ${failed?.error ?? "it died"}`);
  }
  const ms = new Map<string, number>();
  const reaching = new Map<number, string[]>();
  for (const { test, ms: taken, reached } of results.toSorted((a, b) => a.ms - b.ms)) {
    ms.set(test, taken);
    for (const id of reached) reaching.set(id, [...(reaching.get(id) ?? []), test]);
  }
  return { ms, reaching };
}

/** Tries the mutants of one group of modules. */
class GroupRun {
  readonly #sources: ReadonlyMap<string, string>;
  readonly #tests: readonly string[];
  readonly #leftOut: RegExp;
  readonly #mutants: readonly Mutant[];
  #host: Host | undefined;

  constructor({ modules, tests, leftOut }: MutationGroup, options: Pick<MutationOptions, "modules">) {
    const wanted = modules.filter(
      (path) => options.modules.length === 0 || options.modules.some((part) => path.includes(part)),
    );
    const mutants: Mutant[] = [];
    const sources = new Map<string, string>();
    for (const path of wanted) {
      const text = readFileSync(join(PROJECT_ROOT, path), "utf8");
      const found = findMutants(path, text, mutants.length);
      mutants.push(...found);
      sources.set(urlOf(path), instrument(text, found));
    }
    this.#mutants = mutants;
    this.#sources = sources;
    this.#tests = tests.map(urlOf);
    this.#leftOut = leftOut;
  }

  get mutants(): readonly Mutant[] {
    return this.#mutants;
  }

  async tryAll(chosen: readonly Mutant[], onVerdict: (verdict: Verdict) => void): Promise<Verdict[]> {
    const host = await this.#idle();
    const asleep = host.reachedByLoading;
    const baseline = await measure(host, this.#leftOut);
    const verdicts: Verdict[] = [];
    for (const mutant of chosen) {
      const fate = await this.#fate(mutant, baseline, asleep.has(mutant.id));
      verdicts.push({ mutant, fate });
      onVerdict({ mutant, fate });
    }
    this.#host?.stop();
    return verdicts;
  }

  async #idle(): Promise<Host> {
    this.#host ??= await Host.start({ mutant: null, sources: this.#sources, tests: this.#tests });
    if (this.#host === undefined) throw new Error("the tests do not load");
    return this.#host;
  }

  /** What is computed while modules load needs a process of its own, and every test: nobody comes by it later. */
  async #fate(mutant: Mutant, baseline: Baseline, early: boolean): Promise<Fate> {
    const { ms, reaching } = baseline;
    const tests = early ? [...ms.keys()] : (reaching.get(mutant.id) ?? []);
    const limit = GRACE_MS + SLOWER * tests.reduce((total, test) => total + (ms.get(test) ?? 0), 0);
    if (!early) return this.#judge(await this.#idle(), mutant, tests, limit);
    const host = await Host.start({ mutant: mutant.id, sources: this.#sources, tests: this.#tests });
    if (host === undefined) return { kind: "killed", by: "loading" };
    const results = await host.run(mutant.id, tests, limit);
    host.stop();
    if (results === undefined) return { kind: "timeout" };
    const failed = results.find(({ error }) => error !== undefined);
    return failed === undefined ? { kind: "survived", tests: tests.length } : { kind: "killed", by: failed.test };
  }

  async #judge(host: Host, mutant: Mutant, tests: readonly string[], limit: number): Promise<Fate> {
    const results = await host.run(mutant.id, tests, limit);
    if (results === undefined) {
      this.#host = undefined;
      return { kind: "timeout" };
    }
    const failed = results.find(({ error }) => error !== undefined);
    if (failed === undefined) return { kind: "survived", tests: tests.length };
    // The same test passes without the mutant, or else an earlier one left something behind.
    const again = await host.run(null, [failed.test], limit);
    if (again?.[0]?.error === undefined && again !== undefined) return { kind: "killed", by: failed.test };
    host.stop();
    this.#host = undefined;
    const fresh = await (await this.#idle()).run(null, [failed.test], limit);
    if (fresh?.[0]?.error !== undefined) throw new Error(`${failed.test} fails without a mutant as well`);
    return this.#judge(await this.#idle(), mutant, [failed.test], limit);
  }
}

/** Tries a sample of all mutants, drawn by the seed, group by group. */
export async function tryMutants(
  groups: readonly MutationGroup[],
  options: MutationOptions,
): Promise<{ total: number; verdicts: Verdict[] }> {
  const runs = groups.map((group) => new GroupRun(group, options));
  const all = runs.flatMap((run) => run.mutants);
  const sample = new Set(seededRandom(options.seed).shuffle(all).slice(0, options.sample));
  const verdicts: Verdict[] = [];
  for (const run of runs) {
    const chosen = run.mutants.filter((mutant) => sample.has(mutant));
    if (chosen.length > 0) verdicts.push(...(await run.tryAll(chosen, options.onVerdict ?? (() => undefined))));
  }
  return { total: all.length, verdicts };
}
