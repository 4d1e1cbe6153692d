import assert from "node:assert/strict";
import { until, type Tab } from "../engines/engine.ts";
import { hears, joinPage, pageWorld, press, say, shows, textsOf, write } from "../page-world.ts";
import type { Scenario } from "./scenario.ts";

/** Names of all databases and files that the origin has stored. */
const STORED = `(async () => {
  const names = (await indexedDB.databases()).map(({ name }) => name);
  const root = await navigator.storage.getDirectory?.().catch(() => undefined);
  if (root?.keys !== undefined) for await (const name of root.keys()) names.push(name);
  return names;
})()`;

const preview: Scenario = {
  id: "WEB-01",
  title: "an invite is looked at without an identity; its secret leaves the address bar and outlives a reload",
  reduced: ["chromium", "firefox", "webkit"],
  async run(world) {
    const { link, url, group } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await tab.goto(link);
    await shows(tab, "Reading circle");
    await shows(tab, "1 member");
    const secret = new URL(link).hash.slice(1, 40);
    for (const round of ["opened", "reloaded"]) {
      const seen = await tab.evaluate<string>(`location.href + document.title + document.documentElement.outerHTML`);
      assert.equal(seen.includes(secret), false, round);
      assert.equal(await tab.evaluate(`location.href`), `${url}/i`, round);
      assert.deepEqual(await tab.evaluate(STORED), [], `nothing is stored: ${round}`);
      await tab.reload();
      await shows(tab, "Reading circle");
    }
    await group.sync();
    assert.equal(group.members().length, 1);
    await press(tab, "Not now");
    await until(tab, `location.pathname === "/"`);
    assert.equal(await tab.evaluate(`JSON.stringify(sessionStorage).includes(${JSON.stringify(secret)})`), false);
  },
};

const joins: Scenario = {
  id: "WEB-02",
  title: "from Join to the first message, in both directions, while nobody of the group is online",
  reduced: ["chromium", "firefox", "webkit"],
  async run(world) {
    const { link, group } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await joinPage(tab, link);
    await say(tab, "hello from a browser");
    await hears(group, "hello from a browser");
    assert.equal(group.members().length, 2);
    await group.send("hello from a program");
    await shows(tab, "hello from a program");
  },
};

/** The end that an invite comes to, at the look or behind Join. */
async function endOf(tab: Tab, link: string): Promise<string> {
  // Another fragment alone would not load the page.
  await tab.goto("about:blank");
  await tab.goto(link);
  const find = `document.querySelector("[data-end]")?.dataset.end`;
  await until(tab, `(${find}) ?? !document.querySelector(".primary")?.disabled`, "a look or its end");
  const end = await tab.evaluate<string | null>(`(${find}) ?? null`);
  if (end !== null) return end;
  await press(tab, "Join");
  return until<string>(tab, find, "an end");
}

const ends: Scenario = {
  id: "WEB-03",
  title: "each end of an invite has one sentence and one button",
  reduced: ["chromium", "webkit"],
  async run(world) {
    const { link, url, group, newClient, stopNode, startNode } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    assert.equal(await endOf(tab, `${url}/i#ClAKnothing`), "damaged-link");
    assert.equal(await endOf(tab, link.slice(0, -40)), "damaged-link");
    const bob = await newClient("bob");
    await group.invites.change({ maxUses: 1 });
    await bob.conversations.joinByInvite(link);
    await group.sync();
    assert.equal(await endOf(tab, link), "full");
    // A slot of its own: one that also held a state without an end would lead to that.
    const endsSoon = BigInt(Date.now() + 8_000) * 1_000_000n;
    const { url: short } = await group.invites.create({ expiresAtNs: endsSoon });
    await until(tab, `Date.now() > ${Number(endsSoon / 1_000_000n) + 50}`);
    // Its service serves nothing behind its end, so that only somebody who has seen it is told the reason.
    assert.match(await endOf(tab, short), /^(expired|revoked)$/);
    const { url: last } = await group.invites.change({ expiresAtNs: 0n });
    await group.invites.revoke();
    // The slot still serves the state from before: whoever looks at the log as well finds that the group has gone on.
    assert.match(await endOf(tab, last), /^(revoked|off|out-of-date)$/);
    const { url: open } = await group.invites.create();
    await tab.goto("about:blank");
    await tab.goto(open);
    await until(tab, `document.querySelector(".primary")?.disabled === false`, "the look");
    await stopNode();
    await press(tab, "Join");
    assert.equal(await until(tab, `document.querySelector("[data-end]")?.dataset.end`), "unreachable");
    assert.equal(await tab.evaluate(`document.querySelectorAll("main .primary").length`), 1);
    await startNode();
    await press(tab, "Try again");
    await press(tab, "Join");
    await until(tab, `location.pathname.startsWith("/g/")`, "the group");
    // Confirmed by a member: until then the same join is taken up again.
    await group.send("welcome");
    await shows(tab, "welcome");
    // WEB-04: a member who opens the link again opens the group.
    assert.equal(await endOf(tab, open), "already-in");
    await press(tab, "Open the group");
    await until(tab, `location.pathname.startsWith("/g/")`, "the group");
  },
};

const makes: Scenario = {
  id: "WEB-10",
  title: "somebody new starts a group, makes an invite, replaces it and ends it",
  async run(world) {
    const { url, newClient } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await tab.goto(url);
    await press(tab, "Start a group");
    await write(tab, "#group-name", "Choir");
    await press(tab, "Create");
    await press(tab, "Make an invite");
    await until(tab, `document.querySelector(".code img")?.naturalWidth > 0`, "the code");
    const bob = await newClient("bob");
    // What is copied is what the page would show nowhere else: it is asked for as the button does.
    await tab.evaluate(
      `Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { globalThis.copied = text; } } })`,
    );
    await press(tab, "Copy the link");
    const link = await until<string>(tab, `globalThis.copied`);
    const { group } = await bob.conversations.joinByInvite(link);
    assert.equal(group.name, "Choir");
    assert.deepEqual(await textsOf(group), []);
    await press(tab, "Replace");
    await press(tab, "Copied");
    await until(
      tab,
      `globalThis.copied !== ${JSON.stringify(link)} || document.querySelector(".pair .primary").click()`,
    );
    const fresh = await tab.evaluate<string>(`globalThis.copied`);
    const carol = await newClient("carol");
    await assert.rejects(carol.conversations.previewInvite(link));
    assert.equal((await carol.conversations.previewInvite(fresh)).name, "Choir");
    await press(tab, "End the invite");
    await shows(tab, "Make an invite");
    await assert.rejects(carol.conversations.previewInvite(fresh));
  },
};

/** Looking at invites and joining by them. */
export const JOIN_SCENARIOS: readonly Scenario[] = [preview, joins, ends, makes];
