import { SLOT_RULES } from "./rules.ts";
import { SlotUnderTest } from "./slot-under-test.ts";

/** How a service stands to one rule. */
export interface RuleResult {
  readonly title: string;
  readonly passed: boolean;
  /** What was seen instead, on one line. */
  readonly reason?: string;
}

/** Checks every rule against the service at a base URL, one after the other, each in slots of its own. */
export async function runSuite(baseUrl: string, told: (result: RuleResult) => void = () => undefined) {
  const results: RuleResult[] = [];
  for (const { title, check } of SLOT_RULES) {
    const result = await check(new SlotUnderTest(baseUrl)).then(
      (): RuleResult => ({ title, passed: true }),
      (error: unknown): RuleResult => ({ title, passed: false, reason: reasonOf(error) }),
    );
    told(result);
    results.push(result);
  }
  const passed = results.filter((result) => result.passed).length;
  return { passed, failed: results.length - passed, rules: results };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${text}${cause}`.replace(/\s+/g, " ").slice(0, 300);
}
