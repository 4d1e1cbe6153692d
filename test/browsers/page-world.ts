import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, Group } from "@latchkey/client";
import { createNodeClient, generatedSigner } from "@latchkey/client/node";
import { createNode, type DeliveryNode } from "@latchkey/node";
import { buildPage } from "@latchkey/page/build";
import { until, type Tab } from "./engines/engine.ts";
import type { World } from "./scenarios/scenario.ts";

/** A node that serves the page, and a member of its groups who uses another program. */
export interface PageWorld {
  readonly url: string;
  readonly ada: Client;
  /** A group of Ada's, with an invite. */
  readonly group: Group;
  readonly link: string;
  /** Another client of Node, closed at the end. */
  readonly newClient: (name: string) => Promise<Client>;
  /** Stops the node, and starts it again on the same address and data. */
  readonly stopNode: () => Promise<void>;
  readonly startNode: () => Promise<void>;
}

let built: Promise<string> | undefined;

/** The page, built once for all scenarios. */
async function builtPage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-built-"));
  process.once("exit", () => void rm(folder, { recursive: true }));
  await buildPage(folder);
  return folder;
}

/** Starts a node with the page, and makes a group with an invite. */
export async function pageWorld(world: World, name = "Reading circle"): Promise<PageWorld> {
  const pageDir = await (built ??= builtPage());
  const folder = await mkdtemp(join(tmpdir(), "latchkey-page-world-"));
  world.atEnd(() => rm(folder, { recursive: true, maxRetries: 5 }));
  let node: DeliveryNode | undefined;
  let port = 0;
  const startNode = async () => {
    node = await createNode({ dataDir: join(folder, "node"), port, pageDir });
    ({ port } = node);
  };
  const stopNode = async () => {
    await node?.close();
    node = undefined;
  };
  await startNode();
  world.atEnd(stopNode);
  const url = `http://127.0.0.1:${port}`;
  const newClient = async (file: string) => {
    const client = await createNodeClient(generatedSigner(), { dbPath: join(folder, `${file}.db`), nodeUrl: url });
    world.atEnd(() => client.close());
    return client;
  };
  const ada = await newClient("ada");
  const group = await ada.conversations.createGroup([], { name });
  const { url: link } = await group.invites.create();
  return { url, ada, group, link, newClient, stopNode, startNode };
}

/** Presses the button or link that says `text`, once it is there and can be pressed. */
export async function press(tab: Tab, text: string): Promise<void> {
  const wanted = JSON.stringify(text);
  const find = `[...document.querySelectorAll("button, a")].find((one) => !one.disabled &&
    (one.innerText.trim() === ${wanted} || one.getAttribute("aria-label") === ${wanted}))`;
  await until(tab, `(${find}) !== undefined`, `a button ${wanted}`);
  await tab.evaluate(`(${find}).click()`);
}

/** Writes into a field as a person does. */
export async function write(tab: Tab, selector: string, text: string): Promise<void> {
  const field = `document.querySelector(${JSON.stringify(selector)})`;
  await until(tab, `${field} !== null`, `a field ${selector}`);
  await tab.evaluate(`(() => {
    const field = ${field};
    const prototype = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype;
    Object.getOwnPropertyDescriptor(prototype, "value").set.call(field, ${JSON.stringify(text)});
    field.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);
}

/** Waits until the page shows a text. */
export async function shows(tab: Tab, text: string): Promise<void> {
  await until(tab, `document.body.innerText.includes(${JSON.stringify(text)})`, `showing ${JSON.stringify(text)}`);
}

/** Sends a message from the group's screen and waits until the group has it. */
export async function say(tab: Tab, text: string): Promise<void> {
  await write(tab, ".composer textarea", text);
  await press(tab, "Send");
  const said = JSON.stringify(text);
  await until(
    tab,
    `[...document.querySelectorAll(".message.own:not(.waiting) .words")].some((one) => one.innerText === ${said})`,
    `the message ${said} in the group`,
  );
}

/** Opens a link and joins; ends on the group's screen. */
export async function joinPage(tab: Tab, link: string): Promise<void> {
  await tab.goto(link);
  await press(tab, "Join");
  await until(tab, `location.pathname.startsWith("/g/")`, "the group");
  await until(tab, `document.querySelector(".composer") !== null`, "the composer");
}

/** The texts of a group, as another program has them. */
export async function textsOf(group: Group): Promise<(string | undefined)[]> {
  await group.sync();
  return group.messages().map(({ text }) => text);
}

/** Waits until a group of another program has a text. */
export async function hears(group: Group, text: string): Promise<void> {
  const stop = AbortSignal.timeout(30_000);
  if ((await textsOf(group)).includes(text)) return;
  for await (const message of group.stream({ signal: stop })) if (message.text === text) return;
  throw new Error(`the other program never heard ${text}; it has ${(await textsOf(group)).join(" | ")}`);
}
