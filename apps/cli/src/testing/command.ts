import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runCli } from "../run.ts";

/** Output and status of a command that has ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What parsed output looks like from the outside. */
export type Json = Readonly<Record<string, unknown>>;

/** A temporary directory that is gone after the test. */
export async function tempDir(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "latchkey-cli-"));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

// The processes of one test file share what Node makes of the sources, which halves the time each takes to start.
const compileCache = mkdtempSync(join(tmpdir(), "latchkey-cli-cache-"));
process.once("exit", () => rmSync(compileCache, { recursive: true }));

function launch(file: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...env },
    stdio: "pipe",
  });
  return {
    child,
    stderr: text(child.stderr),
    status: once(child, "close").then(([status]) => status as number | null),
  };
}

/** Starts a file of this package as its users do: a process of its own, which does not outlive the test. */
export function start(t: TestContext, file: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const launched = launch(file, args, env);
  t.after(() => launched.child.kill("SIGKILL"));
  return {
    ...launched,
    /** Lines of standard output as they come. */
    lines: () => createInterface({ input: launched.child.stdout })[Symbol.asyncIterator](),
  };
}

interface Surroundings {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the `latchkey` command to its end, in a process of its own. */
export async function latchkeyProcess(args: readonly string[], { input, env }: Surroundings = {}): Promise<Ended> {
  const { child, stderr, status } = launch("main.ts", args, env ?? {});
  child.stdin.end(input ?? "");
  const stdout = await text(child.stdout);
  return { status: await status, stdout, stderr: await stderr };
}

/** Runs the `latchkey` command to its end, in this process: all that `main.ts` adds are signals and the umask. */
export async function latchkey(args: readonly string[], { input, env }: Surroundings = {}): Promise<Ended> {
  const [stdout, stderr] = [collector(), collector()];
  const status = await runCli(args, {
    stdin: Readable.from([Buffer.from(input ?? "")], { objectMode: false }),
    stdout: stdout.sink,
    stderr: stderr.sink,
    env: { ...process.env, ...env },
    signal: new AbortController().signal,
  });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** A stream that is no terminal and keeps its input. */
function collector() {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { sink, text: () => Buffer.concat(chunks).toString() };
}

/** The object on the last line of standard output. */
export function lastJson(stdout: string): Json {
  return parseJson(stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** One line of JSON that is an object. */
export function parseJson(line: string): Json {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null) throw new TypeError(`no object: ${line}`);
  return value as Json;
}

/** A field that holds an object. */
export function field(json: Json, name: string): Json {
  const value = json[name];
  if (typeof value !== "object" || value === null) throw new TypeError(`no object in ${name}: ${JSON.stringify(json)}`);
  return value as Json;
}

/** Someone at a data directory of their own, who always asks for JSON; commands run in this process unless told. */
export class User {
  readonly home: string;
  readonly #latchkey: typeof latchkey;

  constructor(home: string, command = latchkey) {
    this.home = home;
    this.#latchkey = command;
  }

  /** Runs a command that is expected to end well. */
  async run(...args: string[]): Promise<Json> {
    const ended = await this.try(...args);
    if (ended.status !== 0) throw new Error(`latchkey ${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
    return lastJson(ended.stdout);
  }

  /** Runs a command however it ends. */
  try(...args: string[]): Promise<Ended> {
    return this.#latchkey([...args, "--json"], { env: { LATCHKEY_HOME: this.home } });
  }

  /** Starts a command that goes on. */
  start(t: TestContext, ...args: string[]) {
    return start(t, "main.ts", [...args, "--json"], { LATCHKEY_HOME: this.home });
  }
}
