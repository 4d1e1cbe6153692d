import assert from "node:assert/strict";
import { until } from "../engines/engine.ts";
import { hears, joinPage, pageWorld, press, say, shows, textsOf, write } from "../page-world.ts";
import type { Scenario } from "./scenario.ts";

const NO_OPFS = { webkit: "WebKitGTK has no private file system, so that nothing outlives the tab" } as const;

const twoTabs: Scenario = {
  id: "WEB-05",
  title: "two tabs work on one database; when the leading one closes, no message is lost or sent twice",
  cannot: NO_OPFS,
  reduced: ["chromium", "firefox"],
  async run(world) {
    const { link, group } = await pageWorld(world);
    const browser = await world.launch();
    let leader = await browser.newTab();
    await joinPage(leader, link);
    const address = await leader.evaluate<string>(`location.href`);
    const said: string[] = [];
    for (let round = 1; round <= 3; round++) {
      const follower = await browser.newTab();
      await follower.goto(address);
      await say(leader, `leader ${round}`);
      await shows(follower, `leader ${round}`);
      await say(follower, `follower ${round}`);
      await shows(leader, `follower ${round}`);
      // Under way while the leader closes its tab.
      await write(follower, ".composer textarea", `between ${round}`);
      await press(follower, "Send");
      await leader.close();
      await until(follower, `document.querySelectorAll(".message.waiting").length === 0`, "everything sent");
      await say(follower, `after ${round}`);
      said.push(`leader ${round}`, `follower ${round}`, `between ${round}`, `after ${round}`);
      leader = follower;
    }
    await hears(group, "after 3");
    assert.deepEqual(await textsOf(group), said);
  },
};

const survives: Scenario = {
  id: "WEB-06",
  title: "a reload and a browser that is killed lose nothing that was acknowledged",
  cannot: NO_OPFS,
  reduced: ["chromium", "firefox"],
  async run(world) {
    const { link, group, url } = await pageWorld(world);
    const first = await world.launch();
    const tab = await first.newTab();
    await joinPage(tab, link);
    await say(tab, "before the reload");
    await tab.reload();
    await shows(tab, "before the reload");
    await say(tab, "behind the reload");
    const path = await tab.evaluate<string>(`location.pathname`);
    await first.kill();
    const again = await (await world.launch()).newTab();
    await again.goto(url + path);
    await shows(again, "behind the reload");
    await say(again, "behind the end");
    await hears(group, "behind the end");
    assert.deepEqual(await textsOf(group), ["before the reload", "behind the reload", "behind the end"]);
    assert.equal(group.members().length, 2);
  },
};

const offline: Scenario = {
  id: "WEB-07",
  title: "what is written while the node is away waits, is said to wait, and leaves once when it is back",
  async run(world) {
    const { link, group, stopNode, startNode } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await joinPage(tab, link);
    await say(tab, "one");
    await stopNode();
    await shows(tab, "Offline");
    await write(tab, ".composer textarea", "two");
    await press(tab, "Send");
    await shows(tab, "Waits for the network");
    await startNode();
    await until(tab, `document.querySelectorAll(".message.waiting").length === 0`, "the message in the group");
    await hears(group, "two");
    assert.deepEqual(await textsOf(group), ["one", "two"]);
  },
};

const forgotten: Scenario = {
  id: "WEB-08",
  title: "a browser that has deleted what the page kept is told so, and is no stranger; nothing is made in silence",
  cannot: { firefox: "its protocol deletes cookies and storage together", webkit: NO_OPFS.webkit },
  async run(world) {
    const { link, url } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await joinPage(tab, link);
    await tab.goto("about:blank");
    for (const storageTypes of ["file_systems", "indexeddb,file_systems,local_storage"]) {
      await tab.command?.("Storage.clearDataForOrigin", { origin: url, storageTypes });
      await tab.goto(url);
      await shows(tab, "This browser has forgotten you");
      await tab.goto("about:blank");
    }
  },
};

/** One database for all tabs, through reloads, crashes and outages. */
export const TAB_SCENARIOS: readonly Scenario[] = [twoTabs, survives, offline, forgotten];
