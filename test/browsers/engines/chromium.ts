import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { chromium as playwright, type BrowserContext, type CDPSession, type Page } from "playwright-core";
import type { Browser, Engine, Look, Tab } from "./engine.ts";

/** The command named by `CHROMIUM`, or the first of the usual names on the path. */
export function findCommand(variable: string, names: readonly string[]): string | undefined {
  const stated = process.env[variable];
  if (stated !== undefined && stated !== "") return stated;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

const FLAGS = [
  "--headless=new",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--remote-debugging-port=0",
];

/** Process groups that run: they end with this program, however it ends. */
const running = new Set<number>();

process.on("exit", () => {
  for (const group of running) process.kill(-group, "SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

/** Starts the browser and waits for the address of its debugging protocol. */
async function start(
  command: string,
  profile: string,
  flags: readonly string[],
): Promise<{ process: ChildProcess; url: string }> {
  // The sandbox cannot be set up by root, as whom tests run in containers; the pages are our own.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const child = spawn(command, [...FLAGS, ...sandbox, ...flags, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
    // A group of its own, so that all its processes can be ended at once.
    detached: true,
  });
  const { pid = 0 } = child;
  running.add(pid);
  child.once("close", () => running.delete(pid));
  for await (const line of createInterface({ input: child.stderr })) {
    const [, url] = /^DevTools listening on (\S+)/.exec(line) ?? [];
    if (url !== undefined) {
      child.stderr.resume();
      return { process: child, url };
    }
  }
  throw new Error("chromium ended before it could be driven");
}

/** Chromium from the system, by playwright-core. */
export const chromium: Engine = {
  name: "chromium",
  async launch(profile, flags = []): Promise<Browser> {
    const command = findCommand("CHROMIUM", ["chromium", "chromium-browser", "google-chrome"]);
    if (command === undefined) throw new Error("chromium is not installed; set CHROMIUM to its command");
    const { process: child, url } = await start(command, profile, flags);
    const ended = once(child, "close");
    const browser = await playwright.connectOverCDP(url);
    const [context] = browser.contexts();
    if (context === undefined) throw new Error("chromium has no context");
    return {
      newTab: async () => tabOf(context, await context.newPage()),
      async kill() {
        process.kill(-(child.pid ?? 0), "SIGKILL");
        await ended;
      },
      async close() {
        const session = await browser.newBrowserCDPSession();
        await session.send("Browser.close").catch(() => undefined);
        await ended;
      },
    };
  },
};

function tabOf(context: BrowserContext, page: Page): Tab {
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  let session: Promise<CDPSession> | undefined;
  return {
    requests: () => asked,
    async goto(url) {
      await page.goto(url);
    },
    evaluate: (expression) => page.evaluate(expression),
    async reload() {
      await page.reload();
    },
    close: () => page.close(),
    screenshot: (file, look) => shoot(page, file, look ?? {}),
    async command(method, parameters = {}) {
      // What a session emulates ends with it.
      session ??= context.newCDPSession(page);
      return (await session).send(method as "Page.enable", parameters);
    },
  };
}

async function shoot(page: Page, file: string, look: Look): Promise<void> {
  const { width = 1100, height = 760, dark = false, print = false, fullPage = false } = look;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? "dark" : "light", media: print ? "print" : "screen" });
  await page.screenshot({ path: file, fullPage, animations: "disabled" });
  await page.emulateMedia({ colorScheme: null, media: null });
}
