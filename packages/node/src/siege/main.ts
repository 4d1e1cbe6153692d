/**
 * Attacks a node in a process of its own, on loopback, with every attack of this folder, and measures beside each how an
 * honest crowd fares. The exit status is 0 when all of them were held.
 * Usage: main.ts [--json] [--only <part of a name>] [--seconds <for each attack, default 5>]
 */
import { parseArgs } from "node:util";
import { attacks, besiege, type AttackReport } from "./run.ts";

const { values } = parseArgs({
  options: { json: { type: "boolean" }, only: { type: "string" }, seconds: { type: "string", default: "5" } },
});
const ms = Number(values.seconds) * 1_000;
const reports: AttackReport[] = [];
for (const attack of attacks(values.only)) {
  const report = await besiege(attack, ms);
  reports.push(report);
  if (values.json === true) continue;
  const { name, honestP50Ms, honestP99Ms, honestRefused, honestDelayed, peakMiB, held } = report;
  const latency = `${honestP50Ms} / ${honestP99Ms} ms`;
  console.log(
    `${held ? "held  " : "FAILED"} ${name}: ${latency}, refused ${honestRefused}, delayed ${honestDelayed}, ${peakMiB} MiB`,
  );
}
const held = reports.filter((report) => report.held).length;
const failed = reports.length - held;
const told = reports.map((report) => ({
  name: report.name,
  honestP50Ms: report.honestP50Ms,
  honestP99Ms: report.honestP99Ms,
  honestRefused: report.honestRefused,
  peakMiB: report.peakMiB,
  held: report.held,
}));
if (values.json === true) console.log(JSON.stringify({ attacks: told, held, failed }));
else console.log(`${held} held, ${failed} failed`);
process.exit(failed === 0 && held > 0 ? 0 : 1);
