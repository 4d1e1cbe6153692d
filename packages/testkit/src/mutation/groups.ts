import { globSync } from "node:fs";
import { resolve } from "node:path";

export const PROJECT_ROOT = resolve(import.meta.dirname, "../../../..");

/** Modules that hold the rules of one package, with the tests that are to notice when one of them is broken. */
export interface MutationGroup {
  readonly name: string;
  /** Paths from the project's root. */
  readonly modules: readonly string[];
  readonly tests: readonly string[];
  /** Tests that take longest and say what others say. */
  readonly leftOut: RegExp;
}

const find = (...patterns: string[]): string[] =>
  globSync(patterns, { cwd: PROJECT_ROOT })
    .filter((path) => !path.endsWith(".bench.ts"))
    .sort();

const isTest = (path: string): boolean => path.endsWith(".test.ts");

/** Crypto providers have a suite of their own, which takes long and knows nothing of rules. */
const OTHER_TESTS = /\/(web|crypto)\//;

/** What is mutated: everything that can refuse a message, a commit, a tree, an invite or an identity update. */
export function mutationGroups(): MutationGroup[] {
  const mls = "packages/mls/src";
  const xmtp = "packages/xmtp/src";
  return [
    {
      name: "mls",
      modules: find(
        `${mls}/{group,tree,messages,codec}/*.ts`,
        `${mls}/schedule/{ratchet,secret-tree,psk,transcript}.ts`,
      ).filter((path) => !isTest(path)),
      tests: [
        ...find(`${mls}/**/*.test.ts`).filter((path) => !OTHER_TESTS.test(path)),
        "packages/testkit/src/reference/small-trees.test.ts",
        "packages/testkit/src/vectors/vectors.test.ts",
      ],
      leftOut: /provider of browsers|treekem\.json|every sequence of up to 5/,
    },
    {
      name: "xmtp",
      modules: find(`${xmtp}/{validators,app-data,invite,identity}/*.ts`, `${xmtp}/{credential,key-package}.ts`).filter(
        (path) => !isTest(path),
      ),
      tests: find(`${xmtp}/**/*.test.ts`),
      leftOut: /^$/,
    },
  ];
}
