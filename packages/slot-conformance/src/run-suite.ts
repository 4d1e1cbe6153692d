import { HTTP_RULES } from "./http-rules.ts";
import { HttpSlot } from "./http-slot.ts";
import { SERVICE_RULES } from "./service-rules.ts";
import type { SlotUnderTest } from "./slot-under-test.ts";

/** How a service stands to one rule. */
export interface RuleResult {
  readonly title: string;
  readonly passed: boolean;
  /** The observation that breaks it, on one line. */
  readonly reason?: string;
}

interface Rule<S> {
  readonly title: string;
  readonly check: (slot: S) => Promise<void>;
}

type Told = (result: RuleResult) => void;

/** Checks every rule against the service at a base URL, one after the other, each in slots of its own. */
export async function runSuite(baseUrl: string, told: Told = () => undefined) {
  const fresh = (): HttpSlot => new HttpSlot(baseUrl);
  return summary([...(await check(SERVICE_RULES, fresh, told)), ...(await check(HTTP_RULES, fresh, told))]);
}

/** Checks the rules that do not depend on HTTP, each in a fresh slot. */
export async function runServiceRules(fresh: () => SlotUnderTest, told: Told = () => undefined) {
  return summary(await check(SERVICE_RULES, fresh, told));
}

async function check<S>(rules: readonly Rule<S>[], fresh: () => S, told: Told): Promise<RuleResult[]> {
  const results: RuleResult[] = [];
  for (const { title, check: checkRule } of rules) {
    const result = await checkRule(fresh()).then(
      (): RuleResult => ({ title, passed: true }),
      (error: unknown): RuleResult => ({ title, passed: false, reason: reasonOf(error) }),
    );
    told(result);
    results.push(result);
  }
  return results;
}

function summary(rules: readonly RuleResult[]) {
  const passed = rules.filter((rule) => rule.passed).length;
  return { passed, failed: rules.length - passed, rules };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${text}${cause}`.replace(/\s+/g, " ").slice(0, 300);
}
