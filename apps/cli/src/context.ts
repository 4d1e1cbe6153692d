import type { Readable } from "node:stream";
import type { Command } from "commander";
import type { CommandResult, Output, Sink } from "./output.ts";
import type { Settings } from "./settings.ts";

/** Standard input, or a stream in its place. */
export type InputStream = Readable & { readonly isTTY?: boolean };

/** Standard output, or a stream in its place. */
export type OutputStream = NodeJS.WritableStream & Omit<Sink, "write">;

/** Environment of a command. */
export interface CommandContext {
  readonly out: Output;
  readonly settings: Settings;
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
}

/** Runs a command's work with the global options in force and prints its result. */
export type Execute = (work: (context: CommandContext) => Promise<CommandResult>) => Promise<void>;

/** Adds one or several commands to the program. */
export type AddCommands = (program: Command, execute: Execute) => void;
