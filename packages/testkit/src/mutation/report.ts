import { EXPLAINED } from "./equivalent-mutants.ts";
import type { Mutant } from "./operators.ts";
import type { Verdict } from "./run.ts";

/** A mutant that no test noticed. */
export interface Survivor extends Omit<Mutant, "id" | "node"> {
  /** Tests that come by its place; none means that nothing runs there. */
  readonly tests: number;
}

export interface MutationReport {
  readonly seed: number;
  /** Mutants that there are, and those that were tried. */
  readonly total: number;
  readonly tried: number;
  readonly killed: number;
  readonly timeouts: number;
  /** Survivors that change nothing anybody could see, each with its reason in `equivalent-mutants.ts`. */
  readonly explained: number;
  readonly survivors: readonly Survivor[];
  readonly modules: Readonly<Record<string, { readonly tried: number; readonly killed: number }>>;
}

function isEquivalent({ module, operator, source }: Mutant): boolean {
  return EXPLAINED.some(
    (known) =>
      module.endsWith(known.module) &&
      source.includes(known.source) &&
      (known.operator === undefined || operator === known.operator),
  );
}

/** Adds up; a mutant that ran without end counts as noticed. */
export function reportOf(seed: number, total: number, verdicts: readonly Verdict[]): MutationReport {
  const count = (kind: string, among = verdicts) => among.filter(({ fate }) => fate.kind === kind).length;
  const survived = verdicts.filter(({ fate }) => fate.kind === "survived");
  const survivors = survived
    .filter(({ mutant }) => !isEquivalent(mutant))
    .map(({ mutant: { module, operator, line, source, replacement }, fate }): Survivor => {
      const tests = fate.kind === "survived" ? fate.tests : 0;
      return { module, operator, line, source, replacement, tests };
    });
  const modules = [...Map.groupBy(verdicts, ({ mutant }) => mutant.module)].map(([module, list]) => [
    module,
    { tried: list.length, killed: list.length - count("survived", list) },
  ]);
  return {
    seed,
    total,
    tried: verdicts.length,
    killed: count("killed"),
    timeouts: count("timeout"),
    explained: survived.length - survivors.length,
    survivors,
    modules: Object.fromEntries(modules) as MutationReport["modules"],
  };
}
