import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "./engines/chromium.ts";
import { until, type Look, type Tab } from "./engines/engine.ts";
import { pageWorld, press, say, shows } from "./page-world.ts";
import type { World } from "./scenarios/scenario.ts";

/*
 * `node test/browsers/screenshots.ts FOLDER`: every screen of the page, to be looked at.
 */

const folder = process.argv[2] ?? join(import.meta.dirname, "../../docs/web");
await mkdir(folder, { recursive: true });

const LOOKS: Readonly<Record<string, Look>> = {
  light: { width: 900, height: 720 },
  dark: { width: 900, height: 720, dark: true },
  phone: { width: 360, height: 720 },
};

async function shoot(tab: Tab, name: string, looks: readonly string[] = Object.keys(LOOKS)): Promise<void> {
  for (const look of looks) await tab.screenshot?.(join(folder, `${name}-${look}.png`), LOOKS[look] ?? {});
}

const profile = await mkdtemp(join(tmpdir(), "latchkey-shots-"));
const closers: (() => void | Promise<void>)[] = [() => rm(profile, { recursive: true, maxRetries: 10 })];
const world: World = {
  engine: chromium,
  profile,
  launch: (flags) => chromium.launch(profile, flags),
  atEnd: (close) => void closers.push(close),
};
const { link, url, group, newClient } = await pageWorld(world);
const bob = await newClient("bob");
const { group: bobs } = await bob.conversations.joinByInvite(link);
await group.sync();
const browser = await world.launch();
closers.push(() => browser.close());
const tab = await browser.newTab();
await tab.goto(url);
await shows(tab, "Scan an invite");
await shoot(tab, "welcome");
await tab.goto(`${url}/scan`);
await shoot(tab, "scan", ["light", "phone"]);
await tab.goto(`${url}/i#ClAKnothing`);
await until(tab, `document.querySelector("[data-end]") !== null`);
await shoot(tab, "end", ["light"]);
await tab.goto("about:blank");
await tab.goto(link);
await until(tab, `document.querySelector(".primary")?.disabled === false`);
await shoot(tab, "invite");
await press(tab, "Join");
await until(tab, `document.querySelector(".steps .done") !== null || document.querySelector(".composer") !== null`);
await shoot(tab, "joining", ["light"]);
await until(tab, `document.querySelector(".composer") !== null`);
await group.send("Welcome! Tonight it is chapter four.");
await bobs.sync();
await bobs.send("I am on the train, but I have read it twice.");
await bobs.send("Who brings tea?");
await say(tab, "I do. Good to be here.");
await group.send("Then we have everything.");
await shows(tab, "Then we have everything.");
await shoot(tab, "group");
const path = await tab.evaluate<string>(`location.pathname`);
await tab.goto(`${url}${path}/about`);
await until(tab, `document.querySelectorAll(".list .row").length === 3`);
await shoot(tab, "about", ["light", "phone"]);
await tab.goto(`${url}/devices`);
await until(tab, `document.querySelector(".row") !== null`);
await shoot(tab, "devices", ["light"]);
await tab.goto(`${url}/new`);
await tab.evaluate(`document.querySelector("#group-name").focus()`);
await shoot(tab, "new-group", ["light"]);
await tab.evaluate(`(() => {
  const field = document.querySelector("#group-name");
  field.value = "Choir";
  field.form.requestSubmit();
})()`);
await until(tab, `location.pathname.endsWith("/invite")`);
await press(tab, "Make an invite");
await until(tab, `document.querySelector(".code img")?.naturalWidth > 0`);
await shoot(tab, "share");
await tab.screenshot?.(join(folder, "share-print.png"), { width: 794, height: 1123, print: true });
await tab.goto(url);
await until(tab, `document.querySelectorAll("a.row").length === 2`);
await shoot(tab, "groups");
for (const close of closers.reverse()) await close();
