import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "./engines/chromium.ts";
import type { Browser, Engine } from "./engines/engine.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { STORE_SCENARIOS } from "./scenarios/store.ts";
import { JOIN_SCENARIOS } from "./scenarios/join.ts";
import { SCAN_SCENARIOS } from "./scenarios/scan.ts";
import { WALL_SCENARIOS } from "./scenarios/walls.ts";
import { TAB_SCENARIOS } from "./scenarios/tabs.ts";

const ENGINES: readonly Engine[] = [chromium];
const SCENARIOS: readonly Scenario[] = [
  ...STORE_SCENARIOS,
  ...JOIN_SCENARIOS,
  ...TAB_SCENARIOS,
  ...SCAN_SCENARIOS,
  ...WALL_SCENARIOS,
];

/** How the scenarios went in one engine. */
interface Tally {
  passed: number;
  failed: number;
  readonly cannot: string[];
}

async function runOne(engine: Engine, scenario: Scenario): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), `latchkey-${engine.name}-`));
  const closers: (() => void | Promise<void>)[] = [() => rm(profile, { recursive: true, maxRetries: 10 })];
  const atEnd = (close: () => void | Promise<void>) => void closers.push(close);
  const launch = async (flags?: readonly string[]): Promise<Browser> => {
    const browser = await engine.launch(profile, flags);
    let isOpen = true;
    const once = (end: () => Promise<void>) => async () => {
      if (!isOpen) return;
      isOpen = false;
      await end();
    };
    const [kill, close] = [once(() => browser.kill()), once(() => browser.close())];
    atEnd(close);
    return { newTab: () => browser.newTab(), kill, close };
  };
  try {
    await scenario.run({ engine, profile, launch, atEnd });
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function runEngine(engine: Engine, scenarios: readonly Scenario[]): Promise<Tally> {
  const tally: Tally = { passed: 0, failed: 0, cannot: [] };
  for (const scenario of scenarios) {
    const name = `${scenario.id} ${scenario.title}`;
    const reason = scenario.cannot?.[engine.name];
    if (reason !== undefined) {
      tally.cannot.push(`${scenario.id}: ${reason}`);
      continue;
    }
    const started = performance.now();
    try {
      await runOne(engine, scenario);
      tally.passed++;
      console.error(`ok   ${engine.name} ${name} (${Math.round(performance.now() - started)} ms)`);
    } catch (error) {
      tally.failed++;
      console.error(`FAIL ${engine.name} ${name}\n${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return tally;
}

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    engine: { type: "string", multiple: true },
    only: { type: "string", multiple: true },
    reduced: { type: "boolean", default: false },
  },
});

const { only } = values;
const engines = ENGINES.filter(({ name }) => values.engine?.includes(name) ?? true);
const report: Record<string, Tally> = {};
for (const engine of engines) {
  const wanted = SCENARIOS.filter(({ id }) => only?.some((start) => id.startsWith(start)) ?? true).filter(
    ({ reduced = ["chromium"] }) => !values.reduced || reduced.includes(engine.name),
  );
  report[engine.name] = await runEngine(engine, wanted);
}
if (values.json) console.log(JSON.stringify({ engines: report }));
const tallies = Object.values(report);
// A run that found nothing to do has proved nothing.
const isGood = tallies.every(({ failed }) => failed === 0) && tallies.some(({ passed }) => passed > 0);
process.exitCode = isGood ? 0 : 1;
