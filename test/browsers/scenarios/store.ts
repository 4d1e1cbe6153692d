import assert from "node:assert/strict";
import { bundleText, bundleWorker, sqliteWasm } from "../build.ts";
import type { Tab } from "../engines/engine.ts";
import { serveFiles } from "../serve-files.ts";
import type { Scenario, World } from "./scenario.ts";

const PAGE_SCRIPT = `
  const policy = globalThis.trustedTypes?.createPolicy("latchkey", { createScriptURL: (url) => url });
  const address = "/assets/worker.js";
  const worker = new Worker(policy === undefined ? address : policy.createScriptURL(address), { type: "module" });
  const waiting = new Map();
  worker.onmessage = ({ data: { id, value, error } }) => {
    const { resolve, reject } = waiting.get(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  };
  worker.onerror = (event) => console.error(event.message);
  let last = 0;
  globalThis.ask = (what) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    worker.postMessage({ id: last, what });
  });
`;

/** A page with the suite of stores in a worker, under the headers of the real page. */
async function servePage(): Promise<{ url: string; close(): void }> {
  return serveFiles({
    "/": bundleText("text/html", "document", `<!doctype html><script type="module" src="/assets/page.js"></script>`),
    "/assets/page.js": bundleText("text/javascript", "asset", PAGE_SCRIPT),
    "/assets/worker.js": await bundleWorker(new URL("../pages/store-suite.ts", import.meta.url)),
    "/assets/sqlite3.wasm": await sqliteWasm(),
  });
}

async function openTab(world: World, url: string): Promise<() => Promise<Tab>> {
  const browser = await world.launch();
  return async () => {
    const tab = await browser.newTab();
    await tab.goto(url);
    return tab;
  };
}

const NO_OPFS = { webkit: "WebKitGTK has no private file system" } as const;

const suite: Scenario = {
  id: "OPFS-1",
  title: "every store: SQLite on the browser's private file system",
  cannot: NO_OPFS,
  async run(world) {
    const page = await servePage();
    world.atEnd(() => page.close());
    const tab = await (await openTab(world, page.url))();
    const report = await tab.evaluate<{ passed: number; failures: string[] }>(`ask("suite")`);
    assert.deepEqual(report.failures, []);
    assert.ok(report.passed >= 38, `${report.passed} cases ran`);
  },
};

/** Times that one tab takes over from another. */
const HANDOVERS = 120;

const handOver: Scenario = {
  id: "OPFS-2",
  title: `a database goes from tab to tab ${HANDOVERS} times, by stopping and by closing, and loses no row`,
  cannot: NO_OPFS,
  async run(world) {
    const page = await servePage();
    world.atEnd(() => page.close());
    const newTab = await openTab(world, page.url);
    let [leader, waiting] = [await newTab(), await newTab()];
    assert.equal(await leader.evaluate(`ask("lead")`), 1);
    for (let row = 2; row <= HANDOVERS + 1; row++) {
      const taken = waiting.evaluate<number>(`ask("lead")`);
      // Every third leader closes its tab without a word.
      const closes = row % 3 === 0;
      await (closes ? leader.close() : leader.evaluate(`ask("stop")`));
      assert.equal(await taken, row, "every earlier row is there");
      [leader, waiting] = [waiting, closes ? await newTab() : leader];
    }
  },
};

/** Times that the browser is killed. */
const KILLS = 12;

const kills: Scenario = {
  id: "OPFS-3",
  title: `a browser that is killed ${KILLS} times loses no row that was acknowledged`,
  cannot: NO_OPFS,
  async run(world) {
    const page = await servePage();
    world.atEnd(() => page.close());
    let rows = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const browser = await world.launch();
      const tab = await browser.newTab();
      await tab.goto(page.url);
      assert.equal(await tab.evaluate(`ask("lead")`), rows + 1, "every acknowledged row is there");
      rows = await tab.evaluate<number>(`ask("write")`);
      await browser.kill();
    }
  },
};

/** The database in the browser. */
export const STORE_SCENARIOS: readonly Scenario[] = [suite, handOver, kills];
