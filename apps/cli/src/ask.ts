import { createInterface } from "node:readline/promises";
import type { CommandContext } from "./context.ts";

/** Whether a person sits at the terminal who can be asked. */
export function canAsk({ out, stdin, stdout }: CommandContext): boolean {
  return !out.json && stdin.isTTY === true && stdout.isTTY === true;
}

/** Asks a question that is answered by yes or no; anything but yes is a no. Rejects when the command is stopped. */
export async function confirm({ stdin, stdout, signal }: CommandContext, question: string): Promise<boolean> {
  const terminal = createInterface({ input: stdin, output: stdout });
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/**
 * One line from a person, or from a program on standard input; the question is shown to people only. Empty where
 * standard input has ended. Rejects when the command or the signal ends.
 */
export async function askLine(
  { stdin, stdout, out, signal }: CommandContext,
  question: string,
  end: AbortSignal = signal,
): Promise<string> {
  const terminal = createInterface({ input: stdin, ...(out.json ? {} : { output: stdout }) });
  const ended = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  try {
    return await Promise.race([terminal.question(out.json ? "" : `${question} `, { signal: end }), ended]);
  } finally {
    terminal.close();
  }
}
