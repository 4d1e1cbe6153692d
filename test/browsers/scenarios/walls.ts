import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundleText } from "../build.ts";
import { until, type Browser, type Tab } from "../engines/engine.ts";
import { joinPage, pageWorld, press, shows } from "../page-world.ts";
import { serveFiles } from "../serve-files.ts";
import type { Scenario } from "./scenario.ts";

/** A worker that tries what its policy forbids, and a WebAssembly module, which it allows. */
const PROBE = `
  const attempt = async (action) => {
    try {
      await action();
      return "done";
    } catch (error) {
      return error.name;
    }
  };
  onmessage = async ({ data: other }) => postMessage({
    fetch: await attempt(() => fetch(other, { mode: "no-cors" })),
    eval: await attempt(() => (0, eval)("1")),
    function: await attempt(() => new Function("return 1")()),
    wasm: await attempt(() => WebAssembly.compile(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0))),
    own: await attempt(() => fetch("/probe.js")),
  });
`;

const PAGE = `
  const policy = globalThis.trustedTypes?.createPolicy("latchkey", { createScriptURL: (url) => url });
  globalThis.probe = (other) => new Promise((resolve) => {
    const worker = new Worker(policy === undefined ? "/probe.js" : policy.createScriptURL("/probe.js"), { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage(other);
  });
`;

const policies: Scenario = {
  id: "WEB-15a",
  title: "inside a worker no other origin is fetched and no text becomes code; WebAssembly runs",
  reduced: ["chromium", "firefox"],
  async run(world) {
    const files = {
      "/": bundleText("text/html", "document", `<!doctype html><script type="module" src="/page.js"></script>`),
      "/page.js": bundleText("text/javascript", "asset", PAGE),
      "/probe.js": bundleText("text/javascript", "worker", PROBE),
    };
    const [page, other] = [await serveFiles(files), await serveFiles(files)];
    world.atEnd(() => page.close());
    world.atEnd(() => other.close());
    const tab = await (await world.launch()).newTab();
    await tab.goto(page.url);
    const { own, wasm, ...refused } = await tab.evaluate<Record<string, string>>(`probe(${JSON.stringify(other.url)})`);
    assert.deepEqual([own, wasm], ["done", "done"]);
    assert.equal(other.asked, 0);
    for (const [what, outcome] of Object.entries(refused)) assert.match(outcome, /TypeError|EvalError/, what);
  },
};

const origins: Scenario = {
  id: "WEB-15b",
  title: "from the look to the first messages the page asks its own origin alone",
  cannot: { firefox: "requests are watched in Chromium", webkit: "requests are watched in Chromium" },
  async run(world) {
    const { link, url } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await joinPage(tab, link);
    const asked = tab.requests?.() ?? [];
    assert.ok(asked.length > 10, `${asked.length} requests were seen`);
    assert.deepEqual(
      asked.filter((address) => !address.startsWith(`${url}/`) && !address.startsWith(`blob:${url}/`)),
      [],
    );
    const secret = new URL(link).hash.slice(1, 40);
    assert.deepEqual(
      asked.filter((address) => address.includes(secret)),
      [],
    );
  },
};

/** Texts of strangers that would run, hide or push things about. */
const HOSTILE = [
  `<img src=x onerror="globalThis.ran = true">`,
  `</p><script>globalThis.ran = true</script>`,
  `\u202Egnp.exe\u202C \u2066\u2067\u2068`,
  "W".repeat(3_000),
  `javascript:globalThis.ran=true`,
  "\u0000\u0007\u001b[31m",
  "a\u0300".repeat(500),
  "line\n".repeat(300),
];

const hostile: Scenario = {
  id: "WEB-16",
  title: "hostile names and messages run nothing and break no layout",
  async run(world) {
    const { link, group } = await pageWorld(world, `<b onclick="globalThis.ran=true">${"N".repeat(60)}</b>\u202E`);
    const tab = await (await world.launch()).newTab();
    await tab.command?.("Emulation.setDeviceMetricsOverride", {
      width: 360,
      height: 640,
      deviceScaleFactor: 1,
      mobile: true,
    });
    await tab.goto(link);
    await until(tab, `document.querySelector(".primary")?.disabled === false`, "the look");
    await requireWhole(tab);
    await press(tab, "Join");
    await until(tab, `document.querySelector(".composer") !== null`, "the group");
    for (const text of HOSTILE) await group.send(text);
    await until(tab, `document.querySelectorAll(".message").length === ${HOSTILE.length}`, "all messages");
    await requireWhole(tab);
    await press(tab, "Back");
    await until(tab, `document.querySelector("a.row") !== null`, "the groups");
    await requireWhole(tab);
  },
};

/** Nothing ran, no foreign element came to be, and nothing is wider than the page. */
async function requireWhole(tab: Tab): Promise<void> {
  const seen = await tab.evaluate<{ ran: boolean; foreign: number; over: number }>(`({
    ran: globalThis.ran === true,
    foreign: document.querySelectorAll("#app script, #app b, #app img:not([src^='blob:'])").length,
    over: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  })`);
  assert.deepEqual(seen, { ran: false, foreign: 0, over: 0 });
}

/** Opens a tab as narrow as a small phone. */
async function narrowTab(browser: Browser): Promise<Tab> {
  const tab = await browser.newTab();
  const size = { width: 360, height: 740, deviceScaleFactor: 1, mobile: false };
  await tab.command?.("Emulation.setDeviceMetricsOverride", size);
  return tab;
}

/** Looks at a screen as axe does, and at its width. */
async function check(tab: Tab, screen: string): Promise<void> {
  await requireWhole(tab);
  const axe = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  await tab.evaluate(`(() => { ${axe} })()`);
  const found = await tab.evaluate<string[]>(
    `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))`,
  );
  assert.deepEqual(found, [], screen);
}

const accessible: Scenario = {
  id: "WEB-14",
  title: "axe has no finding on any screen, in light and dark, at 360 pixels, in five languages",
  cannot: { firefox: "the rules are tried in Chromium", webkit: "the rules are tried in Chromium" },
  async run(world) {
    const { link, url, group } = await pageWorld(world);
    const browser = await world.launch();
    const first = await narrowTab(browser);
    await first.goto(url);
    await press(first, "Scan an invite");
    await check(first, "scan");
    await press(first, "Back");
    await check(first, "welcome");
    await first.goto(link);
    await until(first, `document.querySelector(".primary")?.disabled === false`, "the look");
    await check(first, "invite");
    await press(first, "Join");
    await until(first, `document.querySelector(".composer") !== null`, "the group");
    await group.send("hello");
    await shows(first, "hello");
    const path = await first.evaluate<string>(`location.pathname`);
    for (const language of ["en", "de", "es", "pt", "zh"]) {
      await first.evaluate(`localStorage.setItem("latchkey-language", ${JSON.stringify(language)})`);
      const tab = await narrowTab(browser);
      await tab.command?.("Emulation.setEmulatedMedia", {
        features: [{ name: "prefers-color-scheme", value: language === "de" ? "dark" : "light" }],
      });
      await tab.goto(url + path);
      await shows(tab, "hello");
      assert.equal(await tab.evaluate(`document.documentElement.lang`), language);
      await check(tab, `group in ${language}`);
      // By the links of the page, as people go.
      const hasActions = (n: number) => until(tab, `document.querySelectorAll(".bar-actions a").length === ${n}`);
      await hasActions(2);
      await tab.evaluate(`document.querySelectorAll(".bar-actions a")[1].click()`);
      await until(tab, `document.querySelectorAll(".list .row").length === 2`, "the members");
      await check(tab, `about in ${language}`);
      await tab.evaluate(`history.back()`);
      await hasActions(2);
      await tab.evaluate(`document.querySelectorAll(".bar-actions a")[0].click()`);
      await until(tab, `document.querySelector(".code img") !== null`, "the invite");
      await check(tab, `invite in ${language}`);
      await tab.goto(url);
      await until(tab, `document.querySelector("a.row") !== null`, "the groups");
      await check(tab, `groups in ${language}`);
      for (const [index, shown] of [".scan", ".row .icon", "#group-name"].entries()) {
        await tab.evaluate(`document.querySelectorAll(".bar-actions a")[${index}].click()`);
        await until(tab, `document.querySelector(${JSON.stringify(shown)}) !== null`, shown);
        await check(tab, `${shown} in ${language}`);
        await tab.evaluate(`history.back()`);
        await hasActions(3);
      }
      await tab.close();
    }
  },
};

/** What the page is walled in by, and what it lets through to people. */
export const WALL_SCENARIOS: readonly Scenario[] = [policies, origins, hostile, accessible];
