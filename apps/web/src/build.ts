import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type BuildOptions } from "esbuild";
import { leanSqlite } from "./lean-sqlite.ts";

const SOURCES = import.meta.dirname;

/** Where the built page lies, for `latchkey serve` and for any other server of files. */
export const PAGE_DIR = join(SOURCES, "..", "dist");

/** A file of the page before it is written. */
interface Built {
  readonly path: string;
  readonly role: "document" | "worker" | "asset";
  readonly bytes: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Gives a file its content's name, so that browsers may keep it for ever. */
function named(name: string, role: Built["role"], bytes: Uint8Array): Built {
  const extension = extname(name);
  return { path: `/assets/${basename(name, extension)}-${sha256(bytes).slice(0, 12)}${extension}`, role, bytes };
}

const COMMON = {
  bundle: true,
  write: false,
  minify: true,
  format: "esm",
  target: ["es2024", "chrome122", "firefox128", "safari17.4"],
  logLevel: "error",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
} as const satisfies BuildOptions;

/** Bundles the script of one worker; `define` names the addresses of other files. */
async function workerScript(name: string, define: Readonly<Record<string, string>>): Promise<Built> {
  const entryPoints = [join(SOURCES, "workers", `${name}.ts`)];
  const { outputFiles } = await build({ ...COMMON, define, entryPoints, plugins: [leanSqlite] });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`nothing was built for ${name}`);
  return named(`${name}.js`, "worker", file.contents);
}

async function wasmOf(specifier: string, name: string): Promise<Built> {
  return named(name, "asset", await readFile(fileURLToPath(import.meta.resolve(specifier))));
}

/** The scripts and styles of the page, split so that what a screen needs alone comes with it. */
async function pageScripts(define: Readonly<Record<string, string>>): Promise<Built[]> {
  const { outputFiles } = await build({
    ...COMMON,
    define,
    splitting: true,
    entryPoints: { start: join(SOURCES, "start.tsx"), style: join(SOURCES, "style.css") },
    outdir: "/assets",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
  });
  return outputFiles.map(({ path, contents }) => ({ path, role: "asset", bytes: contents }));
}

function pathOf(files: readonly Built[], name: string): string {
  const file = files.find(({ path }) => path.startsWith(`/assets/${name}`));
  if (file === undefined) throw new Error(`the build has no ${name}`);
  return file.path;
}

/** Builds the page into `folder`; returns the hash of its manifest. The same sources give the same bytes. */
export async function buildPage(folder: string = PAGE_DIR): Promise<string> {
  const sqlite = await wasmOf("@sqlite.org/sqlite-wasm/sqlite3.wasm", "sqlite3.wasm");
  const zxing = await wasmOf("zxing-wasm/reader/zxing_reader.wasm", "zxing.wasm");
  const client = await workerScript("client", { SQLITE_WASM: JSON.stringify(sqlite.path) });
  const look = await workerScript("look", {});
  const scan = await workerScript("scan", { ZXING_WASM: JSON.stringify(zxing.path) });
  const scripts = await pageScripts({
    CLIENT_WORKER: JSON.stringify(client.path),
    LOOK_WORKER: JSON.stringify(look.path),
    SCAN_WORKER: JSON.stringify(scan.path),
  });
  const icon = named("icon.svg", "asset", await readFile(join(SOURCES, "icon.svg")));
  const template = await readFile(join(SOURCES, "index.html"), "utf8");
  const html = template
    .replace("%STYLE%", pathOf(scripts, "style-"))
    .replace("%START%", pathOf(scripts, "start-"))
    .replace("%ICON%", icon.path);
  const document: Built = { path: "/index.html", role: "document", bytes: new TextEncoder().encode(html) };
  return write(folder, [document, ...scripts, client, look, scan, sqlite, zxing, icon]);
}

async function write(folder: string, built: readonly Built[]): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  const files = Object.fromEntries(
    [...built]
      .sort((one, other) => (one.path < other.path ? -1 : 1))
      .map(({ path, role, bytes }) => [path, { type: TYPES[extname(path)], role, hash: sha256(bytes) }]),
  );
  const hash = sha256(new TextEncoder().encode(JSON.stringify(files)));
  for (const { path, bytes } of built) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  await writeFile(
    join(folder, "manifest.json"),
    `${JSON.stringify({ hash, document: "/index.html", files }, null, 1)}\n`,
  );
  return hash;
}

if (import.meta.main) console.log(`page ${(await buildPage()).slice(0, 16)} in ${PAGE_DIR}`);
