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

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${(index + 1).toString().padStart(2, "0")}`);
}

/** Cases of TRU that have a test. There are 22 in all; numbers that are missing here are still to come. */
const TRU: readonly string[] = ["01", "02", "04", "05", "10", "11", "18", "21"];

/**
 * Every case there is: joins and refusals of XIP-82 (XIP), findings of the review of its reference (REV), safety beyond
 * the text (SEC), bytes that others write (TRU), and links, pictures and codes (DOR).
 */
export const ALL_IDS: readonly string[] = [
  ...numbered("XIP", 26),
  ...numbered("REV", 11),
  ...numbered("SEC", 12),
  ...TRU.map((number) => `TRU-${number}`),
  ...numbered("DOR", 9),
];

/** An id of a case, listed or not. */
export const CASE_ID = /\b(?:XIP|REV|SEC|TRU|DOR)-\d\d\b/;

/** The ids that a test's title carries. */
export function idsIn(title: string): string[] {
  return [...title.matchAll(new RegExp(CASE_ID, "g"))].map(([id]) => id).filter((id) => ALL_IDS.includes(id));
}

/** Cases in the order of their ids; an id that no test carried counts as failed. */
export function summarize(seen: readonly Case[]): Summary {
  const missing = ALL_IDS.filter((id) => !seen.some((one) => one.id === id));
  const all = [...seen, ...missing.map((id) => ({ id, title: "no test carries this id", passed: false }))];
  const place = ({ id }: Case) => ALL_IDS.indexOf(id);
  const cases = all.sort((a, b) => place(a) - place(b) || a.title.localeCompare(b.title));
  const passed = cases.filter((one) => one.passed).length;
  return { passed, failed: cases.length - passed, cases };
}
