/**
 * Measures node processes on one PostgreSQL server of its own, and breaks them: processes are killed, the database restarts,
 * the network is cut. The exit status is 0 when nothing acknowledged is lost, no id is given twice, every stream has every
 * message once and in order, and a message costs at most 15 % more at four processes than at one.
 * Usage: main.ts [--json] [--seconds <of each measurement, default 5>] [--fault-seconds <default 40>] [--processes <default 4>]
 */
import { parseArgs } from "node:util";
import { PostgresServer } from "../../testing/postgres.ts";
import { runFaults } from "./faults.ts";
import { measure, type Figures } from "./figures.ts";

/** Processes whose messages are priced. */
const COUNTS = [1, 2, 4] as const;

/** By how much a message may cost more at four processes than at one. */
const MOST_GROWTH = 1.15;

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    seconds: { type: "string", default: "5" },
    "fault-seconds": { type: "string", default: "40" },
    processes: { type: "string", default: "4" },
  },
});
const ms = Number(values.seconds) * 1_000;

function costOf({ nodeMsPerMessage, databaseMsPerMessage }: Figures): number {
  return nodeMsPerMessage + databaseMsPerMessage;
}

function rounded(value: number): number {
  return Number(value.toFixed(3));
}

const postgres = await PostgresServer.start({ isDurable: true, settings: { max_connections: "200" } });
try {
  const sqlite = await measure(1, ms);
  const figures = new Map<number, Figures>();
  for (const count of COUNTS) figures.set(count, await measure(count, ms, postgres));
  const faults = await runFaults(postgres, Number(values.processes), Number(values["fault-seconds"]) * 1_000);
  const costs = COUNTS.map((count) => costOf(figures.get(count) ?? sqlite));
  const [first = NaN] = costs;
  const last = costs.at(-1) ?? NaN;
  const isWhole = faults.lost + faults.repeatedIds + faults.outOfOrder + faults.missing + faults.duplicates === 0;
  const ok = isWhole && faults.acknowledged > 0 && last <= first * MOST_GROWTH;
  const ofEach = (pick: (figure: Figures) => number) =>
    Object.fromEntries([...figures].map(([count, figure]) => [count, rounded(pick(figure))]));
  const result = {
    ok,
    ...faults,
    cpuMsPerMessage: ofEach(costOf),
    nodeMsPerMessage: ofEach((figure) => figure.nodeMsPerMessage),
    databaseMsPerMessage: ofEach((figure) => figure.databaseMsPerMessage),
    messagesPerSecond: { sqlite: sqlite.messagesPerSecond, ...ofEach((figure) => figure.messagesPerSecond) },
    sqliteMsPerMessage: rounded(costOf(sqlite)),
    lockWaits: ofEach((figure) => figure.lockWaits),
    looks: ofEach((figure) => figure.looks),
    // Computed: what one core, shared by nodes and database, would take at the price of the most processes.
    perCoreSecond: Math.round(1_000 / last),
  };
  process.exitCode = ok ? 0 : 1;
  if (values.json === true) console.log(JSON.stringify(result));
  else for (const [name, value] of Object.entries(result)) console.log(`${name}: ${JSON.stringify(value)}`);
} finally {
  await postgres.stop();
}
