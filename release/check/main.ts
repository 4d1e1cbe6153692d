import { parseArgs } from "node:util";
import { buildPackages } from "../build.ts";
import { sourcePackages } from "../packages.ts";
import { CONSUMERS } from "./consumers.ts";
import { runAttw, runPublint } from "./lint-packages.ts";
import { measureSizes } from "./sizes.ts";
import { runSnippets } from "./snippets.ts";
import { Workplace } from "./workplace.ts";

/**
 * `npm run release:check`: builds and packs all packages, installs them outside of the clone, and uses them there as
 * others would. `--json` prints one line in the end, `--only NAME` runs one consumer, `--keep` leaves the folder,
 * `--built` takes the packages that lie in `build`. Needs the registry of npm.
 */

const { values: given } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    keep: { type: "boolean", default: false },
    built: { type: "boolean", default: false },
  },
});

const failures: string[] = [];

function say(text: string): void {
  if (given.json) process.stderr.write(`${text}\n`);
  else console.log(text);
}

/** Runs one check, and says how it ended. */
async function ends(name: string, work: () => Promise<void>): Promise<boolean> {
  const start = performance.now();
  try {
    await work();
    say(`ok      ${name} (${((performance.now() - start) / 1_000).toFixed(1)} s)`);
    return true;
  } catch (error) {
    failures.push(name);
    say(`FAILED  ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

const wanted = (name: string): boolean => given.only?.includes(name) ?? true;

const packages = given.built ? sourcePackages() : await buildPackages();
say(`${packages.length} packages are built`);
const workplace = new Workplace();
try {
  await Promise.all([workplace.pack(packages), workplace.installTools()]);

  const lint = (done: boolean): "ok" | "failed" => (done ? "ok" : "failed");
  const publint = wanted("publint") ? lint(await ends("publint", () => runPublint(workplace, packages))) : "left out";
  const attw = wanted("attw") ? lint(await ends("attw", () => runAttw(workplace))) : "left out";

  const consumers: { name: string; ok: boolean }[] = [];
  for (const { name, run } of CONSUMERS.filter((one) => wanted(one.name))) {
    consumers.push({ name, ok: await ends(name, () => run(workplace)) });
  }

  let snippets = 0;
  if (wanted("snippets")) {
    await ends("snippets", async () => {
      snippets = await runSnippets(workplace);
    });
  }

  const sizes = wanted("sizes") ? await measureSizes(workplace) : {};
  for (const [name, { bytes, limit }] of Object.entries(sizes)) {
    await ends(`size of ${name}: ${bytes} of ${limit} bytes`, async () => {
      if (bytes > limit) throw new Error(`${bytes - limit} bytes too many`);
    });
  }

  const result = { packages: packages.length, consumers, publint, attw, sizes, snippets, failed: failures.length };
  if (given.json) console.log(JSON.stringify(result));
  else if (failures.length > 0) say(`failed: ${failures.join(", ")}`);
} finally {
  if (given.keep) say(`left in ${workplace.folder}`);
  else workplace.remove();
}
process.exitCode = failures.length === 0 ? 0 : 1;
