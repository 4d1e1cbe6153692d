import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { watchForeignLoad } from "../bench/foreign-load.ts";
import { runStorm, type StormResult } from "./storm.ts";

/** The small crowd that growth is measured from. */
const SMALL = 25;

function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`--${name} takes a number from ${least} to ${most}`);
}

function line(name: string, result: StormResult): string {
  const { joined, joiners, agree, wallMs, joinsPerSecond, wastedPerJoin, fetchesPerJoin, bytesPerJoin } = result;
  const failures = Object.entries(result.failures).map(([code, count]) => `, ${count} × ${code}`);
  return (
    `${name.padEnd(22)} ${joined}/${joiners} joined${failures.join("")}, ${agree ? "all agree" : "THEY DO NOT AGREE"}: ` +
    `${(wallMs / 1000).toFixed(1)} s, ${joinsPerSecond.toFixed(1)} joins/s, ${wastedPerJoin.toFixed(2)} wasted commits, ` +
    `${fetchesPerJoin.toFixed(1)} fetches and ${(bytesPerJoin / 1000).toFixed(0)} kB per join; ` +
    `catching up ${(result.catchUpMs / 1000).toFixed(1)} s`
  );
}

function rounded(result: StormResult): StormResult {
  return JSON.parse(
    JSON.stringify(result, (_, value: unknown) => (typeof value === "number" ? Number(value.toFixed(3)) : value)),
  ) as StormResult;
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      joiners: { type: "string", default: "200" },
      installations: { type: "string", default: "2" },
    },
  });
  // With the admin they have to fit into a group of 250.
  const joiners = numberOf("joiners", values.joiners, 1, 249);
  const installations = numberOf("installations", values.installations, 1, 10);
  const tell = (text: string) => {
    if (!values.json) console.log(text);
  };
  tell(
    `${installations} installations each, node ${process.version}, ${availableParallelism()} cores, all clients in one process`,
  );
  const foreignLoad = watchForeignLoad();
  const small = await runStorm({ joiners: Math.min(SMALL, joiners), installations, order: "at-once", catchUp: true });
  tell(line(`${small.joiners} at once`, small));
  const full = joiners <= SMALL ? small : await runStorm({ joiners, installations, order: "at-once", catchUp: true });
  if (full !== small) tell(line(`${joiners} at once`, full));
  const serial = await runStorm({ joiners, installations, order: "one-by-one", catchUp: false });
  tell(line(`${joiners} one by one`, serial));
  const growth = { joiners: full.joiners / small.joiners, wallTime: full.wallMs / small.wallMs };
  const timesSerial = full.wallMs / serial.wallMs;
  const foreignCores = foreignLoad();
  tell(
    `${growth.joiners.toFixed(1)} times the people took ${growth.wallTime.toFixed(1)} times as long; ` +
      `at once takes ${timesSerial.toFixed(2)} times as long as one by one; other processes used ${foreignCores.toFixed(2)} cores (the node's own among them)`,
  );
  if (values.json) {
    const results = { small: rounded(small), full: rounded(full), serial: rounded(serial) };
    console.log(JSON.stringify({ installations, ...results, growth, timesSerial, foreignCores }));
  }
  const everybodyIn = [small, full, serial].every(({ agree, joined, joiners: all }) => agree && joined === all);
  return everybodyIn ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
