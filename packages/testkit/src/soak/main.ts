import { parseArgs } from "node:util";
import { freshSeed } from "../random.ts";
import { runSoak, type Footprint } from "./soak.ts";

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new RangeError(`--${name} takes a number above 0`);
}

function line(name: string, footprint: Footprint): string {
  const { rssBytes, inUseBytes, clientDatabaseBytes, nodeDatabaseBytes } = footprint;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  return `${name}: ${mb(rssBytes)} in memory (${mb(inUseBytes)} in use), databases of clients ${mb(clientDatabaseBytes)}, of the node ${mb(nodeDatabaseBytes)}`;
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      minutes: { type: "string", default: "30" },
      clients: { type: "string", default: "40" },
      seed: { type: "string", default: String(freshSeed()) },
    },
  });
  const end = performance.now() + positive("minutes", values.minutes) * 60_000;
  const clients = Math.floor(positive("clients", values.clients));
  const result = await runSoak({ clients, seed: positive("seed", values.seed), goesOn: () => performance.now() < end });
  if (values.json) console.log(JSON.stringify({ clients, ...result }));
  else {
    const { seed, rounds, actions, refusals, failures, members, agree, start, end: last } = result;
    console.log(`seed ${seed}, ${clients} clients, ${rounds} rounds: ${JSON.stringify(actions)}`);
    console.log(`refusals ${JSON.stringify(refusals)}, failures ${JSON.stringify(failures)}`);
    console.log(line("start", start));
    console.log(line("end  ", last));
    console.log(`${members} members, ${agree ? "all agree" : "THEY DO NOT AGREE"}`);
  }
  return result.agree && Object.keys(result.failures).length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
