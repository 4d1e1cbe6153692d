import { parseArgs } from "node:util";
import { runMatrix, type PointResult } from "./matrix.ts";

function lines({ name, lost, torn, reused }: PointResult): string[] {
  return [
    ...lost.map((text) => `LOST   ${name}: ${text}`),
    ...torn.map((text) => `TORN   ${name}: ${text}`),
    ...reused.map((text) => `REUSED ${name}: ${text}`),
  ];
}

async function main(): Promise<number> {
  // npm passes only what follows its `--`; a second one may stand between the flags.
  const args = process.argv.slice(2).filter((argument) => argument !== "--");
  const { json, sample, only, encrypted } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      sample: { type: "string" },
      only: { type: "string" },
      encrypted: { type: "boolean", default: false },
    },
  }).values;
  if (sample !== undefined && !/^[1-9]\d*$/.test(sample)) throw new RangeError("--sample takes a number of points");
  const started = performance.now();
  const groups = new Map<string, number>();
  const sum = await runMatrix({
    encrypted,
    ...(sample === undefined ? {} : { sample: Number(sample) }),
    ...(only === undefined ? {} : { only }),
    onPoint(result) {
      const [operation = "", kind = ""] = result.name.split("/");
      groups.set(`${operation} ${kind}`, (groups.get(`${operation} ${kind}`) ?? 0) + 1);
      for (const line of lines(result)) console.error(line);
    },
  });
  const { points, struck, lost, torn, reused } = sum;
  if (json) console.log(JSON.stringify({ points, struck, lost, torn, reused }));
  else {
    for (const [name, count] of groups) console.log(`${String(count).padStart(5)} ${name}`);
    console.log(
      `${sum.points} points (${sum.struck} struck) in ${((performance.now() - started) / 1000).toFixed(0)} s: ` +
        `${sum.lost} lost, ${sum.torn} torn, ${sum.reused} with a key used twice`,
    );
  }
  return sum.lost + sum.torn + sum.reused === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
