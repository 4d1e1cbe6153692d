import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tidy/source-files.ts";

/** One test under one of the ids it carries. */
export interface Case {
  readonly id: string;
  readonly title: string;
  readonly passed: boolean;
}

/** What a run shows. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly Case[];
}

/** The ids of the tables of `docs/cases.md`, in their order. */
export function idsOfPage(page: string): string[] {
  return [...page.matchAll(/^\| ([A-Z][A-Z\d]{2}-\d\d) +\| \S.*\.\s+\|$/gm)].map(([, id = ""]) => id);
}

const [required = "", open = ""] = readFileSync(join(ROOT, "docs/cases.md"), "utf8").split(/^## Open/m);

/** Every case that must have a test. */
export const REQUIRED_IDS: readonly string[] = idsOfPage(required);

/** Every case that `docs/cases.md` lists. */
export const ALL_IDS: readonly string[] = [...REQUIRED_IDS, ...idsOfPage(open)];

const families = new Set(ALL_IDS.map((id) => id.slice(0, 3)));

/** An id of a case, listed or not. */
export const CASE_ID = new RegExp(`\\b(?:${[...families].join("|")})-\\d\\d\\b`);

/** The ids that a test's title carries. */
export function idsIn(title: string): string[] {
  return [...title.matchAll(new RegExp(CASE_ID, "g"))].map(([id]) => id);
}

/** Cases in the order of their ids. An id without a test, and a test of an id that is not listed, count as failed. */
export function summarize(seen: readonly Case[]): Summary {
  const missing = REQUIRED_IDS.filter((id) => !seen.some((one) => one.id === id)).map((id): Case => ({
    id,
    title: "no test carries this id",
    passed: false,
  }));
  const known = seen.map((one) =>
    one.passed && !ALL_IDS.includes(one.id)
      ? { ...one, title: `docs/cases.md does not list ${one.id}: ${one.title}`, passed: false }
      : one,
  );
  const place = ({ id }: Case) => ALL_IDS.indexOf(id);
  const cases = [...known, ...missing].sort((a, b) => place(a) - place(b) || a.title.localeCompare(b.title));
  const passed = cases.filter((one) => one.passed).length;
  return { passed, failed: cases.length - passed, cases };
}
