import { registerHooks } from "node:module";
import type { Discovery, PlantedBug } from "./planted.ts";

const { bug, seeds } = JSON.parse(process.argv[2] ?? "") as { readonly bug: PlantedBug; readonly seeds: number };
const planted: string[] = [];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(bug.file)) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString("utf8");
    if (source.split(bug.find).length !== 2) throw new Error(`the text to replace is not there, once: ${bug.find}`);
    planted.push(url);
    return { ...loaded, source: source.replace(bug.find, () => bug.replace) };
  },
});

const { simulate } = await import("./run.ts");
if (planted.length === 0) throw new Error(`${bug.file} was not loaded`);
let found: Discovery = {};
const inTurn = Array.from({ length: seeds }, (_, index) => index + 1).filter((seed) => seed !== bug.seed);
for (const seed of bug.seed === undefined ? inTurn : [bug.seed, ...inTurn]) {
  if (found.problem !== undefined) break;
  const { problem } = await simulate({ seed, ...(bug.troubles === undefined ? {} : { troubles: bug.troubles }) });
  if (problem !== undefined) found = { seed, problem };
}
console.log(JSON.stringify(found));
