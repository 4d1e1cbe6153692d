import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** What the page sends back. */
interface PageReport {
  readonly passed: number;
  readonly failures: readonly string[];
  /** Methods of WebCrypto that a signature and a key agreement of suite 1 called. */
  readonly used: readonly string[];
}

const SOURCES = resolve(import.meta.dirname, "..");

/** Folders by the first part of a path; browsers find packages through the import map alone. */
const FOLDERS: Readonly<Record<string, string>> = {
  src: SOURCES,
  curves: packageFolder("@noble/curves/utils.js"),
  hashes: packageFolder("@noble/hashes/utils.js"),
  ciphers: packageFolder("@noble/ciphers/utils.js"),
};
const IMPORTS = Object.fromEntries(["curves", "hashes", "ciphers"].map((name) => [`@noble/${name}/`, `/${name}/`]));

const PAGE = `<!doctype html>
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">
  const report = { passed: 0, failures: [], used: [] };
  try {
    const { agreementCases, providerCases } = await import("/src/testing/provider-suite.ts");
    const { createWebCrypto, webCrypto } = await import("/src/web/index.ts");
    const noble = createWebCrypto(undefined);
    const cases = [providerCases(webCrypto), agreementCases(webCrypto, noble), agreementCases(noble, webCrypto)];
    for (const { name, run } of cases.flat()) {
      try {
        await run();
        report.passed++;
      } catch (error) {
        report.failures.push(name + ": " + error.message);
      }
    }
    const used = new Set();
    const get = (subtle, name) => (...args) => used.add(name) && subtle[name](...args);
    const suite = createWebCrypto(new Proxy(crypto.subtle, { get })).suite(1);
    const { privateKey, publicKey } = await suite.generateSignatureKeyPair();
    const message = new Uint8Array(1);
    await suite.verify({ publicKey, message, signature: await suite.sign(privateKey, message) });
    await suite.dh(privateKey, await suite.dhPublicKey(privateKey));
    report.used = [...used].sort();
  } catch (error) {
    report.failures.push(String(error));
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(report) });
</script>`;

function packageFolder(file: string): string {
  return dirname(fileURLToPath(import.meta.resolve(file)));
}

/** The command named by `CHROMIUM`, or the first of the usual names on the path. */
function findChromium(): string | undefined {
  const stated = process.env["CHROMIUM"];
  if (stated !== undefined && stated !== "") return stated;
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return ["chromium", "chromium-browser", "google-chrome"]
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => existsSync(path));
}

async function moduleText(path: string): Promise<string | undefined> {
  const [folder = "", ...rest] = path.slice(1).split("/");
  const root = FOLDERS[folder];
  if (root === undefined) return undefined;
  const source = await readFile(join(root, ...rest), "utf8");
  return path.endsWith(".ts") ? stripTypeScriptTypes(source) : source;
}

async function answer(request: IncomingMessage, response: ServerResponse, onReport: (report: string) => void) {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/report") {
    onReport(await text(request));
    return response.end();
  }
  if (pathname === "/") return response.setHeader("content-type", "text/html").end(PAGE);
  const source = await moduleText(pathname).catch(() => undefined);
  if (source === undefined) return response.writeHead(404).end();
  return response.setHeader("content-type", "text/javascript").end(source);
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Ends when the browser does, with what it last complained about. */
async function ended(browser: ChildProcess): Promise<never> {
  const complaints = browser.stderr === null ? "" : await text(browser.stderr);
  throw new Error(`the browser ended before it had reported: ${complaints.slice(-1000)}`);
}

async function runInBrowser(command: string): Promise<PageReport> {
  const profile = await mkdtemp(join(tmpdir(), "latchkey-chromium-"));
  const report = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    answer(request, response, report.resolve).catch(report.reject);
  });
  const url = await listening(server);
  // The sandbox cannot be set up by root, as whom tests run in containers; the page is our own.
  const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const flags = [
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    `--user-data-dir=${profile}`,
    ...sandbox,
  ];
  const browser = spawn(command, [...flags, url], { stdio: ["ignore", "ignore", "pipe"] });
  const closed = once(browser, "close");
  try {
    return JSON.parse(await Promise.race([report.promise, ended(browser)])) as PageReport;
  } finally {
    browser.kill();
    await closed;
    server.closeAllConnections();
    server.close();
    await rm(profile, { recursive: true, maxRetries: 5, retryDelay: 100 });
  }
}

test("the whole behavioural suite passes in a real browser, on its own WebCrypto", async (context) => {
  const command = findChromium();
  if (command === undefined) {
    const message = "CHROMIUM NOT FOUND: the provider of browsers was not tried in one (set CHROMIUM to its command)";
    console.warn(message);
    context.diagnostic(message);
    return;
  }
  const { passed, failures, used } = await runInBrowser(command);
  assert.deepEqual(failures, []);
  assert.ok(passed > 300, `${passed} cases ran`);
  assert.deepEqual(used, ["deriveBits", "importKey", "sign", "verify"]);
});
