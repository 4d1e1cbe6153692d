/**
 * Attacks a node on loopback with every attack of this folder, and measures beside each how an honest crowd fares. Node,
 * attacker and crowd are processes of their own, new for each attack. The exit status is 0 when all attacks were held.
 * With --postgres the node's data is in a PostgreSQL server of the siege's own.
 * Usage: main.ts [--json] [--only <part of a name>] [--seconds <for each attack, default 5>] [--profile <directory>] [--postgres]
 */
import { parseArgs } from "node:util";
import { PostgresServer } from "../testing/postgres.ts";
import { attacks } from "./attacks.ts";
import { Siege, type AttackReport } from "./run.ts";
import { Subject } from "./subject.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    only: { type: "string" },
    seconds: { type: "string", default: "5" },
    profile: { type: "string" },
    postgres: { type: "boolean" },
  },
});
const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];

const postgres = values.postgres === true ? await PostgresServer.start({ isDurable: true }) : undefined;

async function besiege(name: string): Promise<AttackReport> {
  const subject = await Subject.start(profile, await postgres?.createDatabase());
  const siege = await Siege.start();
  try {
    return await siege.attack(name, subject, Number(values.seconds) * 1_000);
  } finally {
    await siege.stop();
    await subject.stop(profile.length > 0);
  }
}

const reports: AttackReport[] = [];
for (const { name } of attacks(values.only)) {
  const report = await besiege(name);
  reports.push(report);
  if (values.json === true) continue;
  const { honestP50Ms, honestP99Ms, honestRefused, honestDelayed, peakMiB, loopMs, steps } = report;
  const latency = `${honestP50Ms} / ${honestP99Ms} ms`;
  const crowd = `refused ${honestRefused}, delayed ${honestDelayed} of ${steps}`;
  const fate = report.end === "" ? "" : `, ended: ${report.end}`;
  console.log(
    `${report.held ? "held  " : "FAILED"} ${name}: ${latency}, ${crowd}, ${peakMiB} MiB, loop ${loopMs} ms${fate}`,
  );
}
await postgres?.stop();
const held = reports.filter((report) => report.held).length;
const failed = reports.length - held;
const told = reports.map(({ name, honestP50Ms, honestP99Ms, honestRefused, peakMiB, held: isHeld }) => ({
  name,
  honestP50Ms,
  honestP99Ms,
  honestRefused,
  peakMiB,
  held: isHeld,
}));
if (values.json === true) console.log(JSON.stringify({ attacks: told, held, failed }));
else console.log(`${held} held, ${failed} failed`);
process.exit(failed === 0 && held > 0 ? 0 : 1);
