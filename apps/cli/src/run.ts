import { readFile } from "node:fs/promises";
import { CommanderError } from "commander";
import type { Execute, InputStream, OutputStream } from "./context.ts";
import { cliError, EXIT, exitOf } from "./errors.ts";
import { Output, type Sink } from "./output.ts";
import { createProgram } from "./program.ts";
import { settingsFrom, type GlobalOptions } from "./settings.ts";

/** Parts that the command has from its process. */
export interface CliProcess {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? "unknown";
}

/** Whether `--json` was asked for on a command line that may be wrong otherwise. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

/** A usage error of the parser as one of ours; undefined when it only wanted to leave after `--help` or `--version`. */
function usageError(error: CommanderError): Error | undefined {
  if (error.exitCode === 0) return undefined;
  if (error.code === "commander.help") return cliError("USAGE", 'a command is missing; see "latchkey --help"');
  const said = error.message.replace(/^error: /, "");
  return cliError("USAGE", `${said}; see "latchkey --help"`);
}

/** Runs one command line to its end and returns the exit status. */
export async function runCli(argv: readonly string[], host: CliProcess): Promise<number> {
  const json = asksForJson(argv);
  const out = new Output(json, host.stdout, host.stderr, host.env);
  const execute: Execute = async (work) => {
    const settings = settingsFrom(program.opts<GlobalOptions>(), host.env);
    out.result(await work({ out, settings, signal: host.signal, stdin: host.stdin, stdout: host.stdout }));
  };
  const text = {
    out: (chunk: string) => host.stdout.write(chunk),
    err: (chunk: string) => json || host.stderr.write(chunk),
  };
  const program = createProgram(await ownVersion(), text, execute);
  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.ok.status;
  } catch (thrown) {
    const error = thrown instanceof CommanderError ? usageError(thrown) : thrown;
    if (error === undefined) return EXIT.ok.status;
    out.failure(error);
    return EXIT[exitOf(error, host.signal.aborted)].status;
  }
}
