import { createInterface } from "node:readline/promises";
import { LatchkeyError, type Group } from "@latchkey/client";
import type { AddCommands, CommandContext } from "../context.ts";
import { endNote, groupName, queuedJson, queuedLine } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";
import { entriesSoFar, entryJson, entryLine, followEntries, type Entry } from "../timeline.ts";

/** Messages shown when a chat is opened. */
const RECENT = 10;

/** Back to the start of the wiped line: a message of somebody else must not end in the middle of the prompt. */
const WIPE_LINE = "\r\u001b[K";

/** `latchkey chat`: shows messages of others as they come, and sends each typed line. */
export const addChatCommand: AddCommands = (program, execute) => {
  program
    .command("chat")
    .description("talk in a group: each line is a message; ends with the input (Ctrl-D) or Ctrl-C")
    .argument("<group>", "name of the group, or the beginning of its id")
    .action((wanted: string) => execute((context) => chat(context, wanted)));
};

function chat(context: CommandContext, wanted: string): Promise<CommandResult> {
  const { out } = context;
  return withGroup(context, wanted, async (group, { inboxId, installationId }) => {
    const prompt = openPrompt(context);
    const over = new AbortController();
    const signal = AbortSignal.any([context.signal, over.signal]);
    signal.addEventListener("abort", () => prompt.close(), { once: true });
    out.line(out.style.dim(`${groupName(group)}: each line is a message, Ctrl-D leaves.`));
    const show = (entry: Entry) => out.entry(entryJson(entry), entryLine(entry, inboxId, out.style));
    for (const entry of entriesSoFar(group).slice(-RECENT)) show(entry);
    for (const queued of group.queue()) out.entry({ queued: queuedJson(queued) }, queuedLine(queued, out.style));

    const hear = (entry: Entry) => {
      // At a prompt the own line stands there already.
      const own = "message" in entry && entry.message.senderInstallationId === installationId;
      if (!prompt.interactive || !own) prompt.interrupt(() => show(entry));
    };
    // Whichever ends first ends the other; both have to be over before the client is closed.
    const [sending, listening] = await Promise.allSettled([
      sendLines(prompt, group, context).finally(() => over.abort()),
      followEntries(group, signal, hear).finally(() => prompt.close()),
    ]);
    if (listening.status === "rejected") throw listening.reason;
    if (sending.status === "rejected") throw sending.reason;
    const sent = sending.value;
    return { json: { sent, active: group.isActive }, human: () => endNote(group) };
  });
}

/** Lines from a person at a terminal, or from a pipe. */
interface Prompt {
  readonly interactive: boolean;
  readonly lines: AsyncIterable<string>;
  /** Invites the next line. */
  ask(): void;
  /** Prints something although a line may be half typed. */
  interrupt(print: () => void): void;
  close(): void;
}

function openPrompt({ out, stdin, stdout }: CommandContext): Prompt {
  const interactive = !out.json && stdin.isTTY === true && stdout.isTTY === true;
  const lines = createInterface({ input: stdin, terminal: interactive, ...(interactive ? { output: stdout } : {}) });
  let open = true;
  lines.once("close", () => {
    open = false;
    if (interactive) stdout.write("\n");
  });
  // A terminal in this mode hands Ctrl-C to us.
  lines.once("SIGINT", () => lines.close());
  const ask = () => {
    if (interactive && open) lines.prompt(true);
  };
  return {
    interactive,
    lines,
    ask,
    interrupt(print) {
      if (interactive && open) stdout.write(WIPE_LINE);
      print();
      ask();
    },
    close: () => lines.close(),
  };
}

/** Sends each line and counts them; one that only has to wait ends nothing. */
async function sendLines(prompt: Prompt, group: Group, { signal, out }: CommandContext): Promise<number> {
  let sent = 0;
  prompt.ask();
  for await (const line of prompt.lines) {
    if (line.trim() !== "") {
      try {
        await group.send(line, { signal });
        sent += 1;
      } catch (error) {
        if (!(error instanceof LatchkeyError)) throw error;
        // Without an answer the message stays queued and leaves with the next one.
        const queued = error.data["queued"] === true;
        if (!queued && !error.retryable) throw error;
        out.warn(queued ? `waiting for the node: ${error.message}` : `not sent: ${error.message}`);
      }
    }
    prompt.ask();
  }
  return sent;
}
