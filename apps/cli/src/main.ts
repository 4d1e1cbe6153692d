#!/usr/bin/env node
import { EXIT } from "./errors.ts";
import { runCli } from "./run.ts";

// Whatever this program writes may hold keys: the QR code of an invite does.
process.umask(0o077);

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // The first one asks politely; whoever repeats it wants out now.
    if (abort.signal.aborted) process.exit(EXIT.aborted.status);
    abort.abort(new Error("stopped by the user"));
  });
}

// A reader that leaves early, as in `latchkey read team | head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT.ok.status);
});

const { stdin, stdout, stderr, env } = process;
process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, env, signal: abort.signal });
