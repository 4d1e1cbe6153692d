/**
 * Measures what groups cost a client, with its rules, its database and the node's part of every request, beside what
 * `npm run bench` measures of the engine alone. Usage: main.ts [--json] [--sizes 10,100,1000] [--runs 15]
 */
import { parseArgs } from "node:util";
import { wholeNumber } from "../../whole-number.ts";
import { measureClient, OPERATIONS, type ClientResult } from "./measure-client.ts";

/** What a join costs a member of the largest group, against the smallest. */
const GOAL = 2;

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    sizes: { type: "string", default: "10,100,1000" },
    runs: { type: "string", default: "15" },
  },
});
const runs = wholeNumber("runs", values.runs);
const results: ClientResult[] = [];
for (const size of values.sizes.split(",")) {
  const result = await measureClient(wholeNumber("sizes", size), { runs, warmUps: 3, joins: 3 });
  results.push(result);
  if (values.json === true) continue;
  console.log(`${result.members} members:`);
  for (const operation of OPERATIONS) {
    const { cpuMs, writtenBytes, transactions, requests } = result.costs[operation];
    const bytes = `${writtenBytes.toFixed(0).padStart(12)} bytes`;
    const counts = `${transactions.toFixed(1).padStart(8)} transactions${requests.toFixed(1).padStart(7)} requests`;
    console.log(`  ${operation.padEnd(16)}${cpuMs.toFixed(2).padStart(10)} ms${bytes}${counts}`);
  }
}
const joins = results.map(({ costs }) => costs.receiveJoin.cpuMs);
const ratio = Math.max(...joins) / Math.min(...joins);
const summary = { results, receiveJoinRatio: ratio, goal: GOAL, met: ratio <= GOAL };
if (values.json === true) console.log(JSON.stringify(summary));
else console.log(`receiving a join: ${ratio.toFixed(2)} times as much at most as at least (goal: at most ${GOAL})`);
process.exitCode = summary.met ? 0 : 1;
