import {
  INVITE_END_TEXTS,
  inviteEndOf,
  LatchkeyError,
  type Client,
  type JoinProgress,
  type JoinStep,
} from "@latchkey/client";
import { InvalidArgumentError } from "commander";
import { canAsk, confirm } from "../ask.ts";
import type { AddCommands, CommandContext } from "../context.ts";
import { groupJson, groupName, plural, previewLines } from "../describe.ts";
import { readInviteSource } from "../invite-source.ts";
import type { CommandResult } from "../output.ts";
import { withClient } from "../own-client.ts";
import { parseDurationNs, shortId } from "../text.ts";

const STEPS: Readonly<Record<JoinStep, string>> = {
  fetching: "asking the invite service",
  checking: "verifying the group and everybody in it",
  preparing: "preparing one commit with all your devices",
  publishing: "sending it",
  "reading-back": "looking whether it was first",
  waiting: "the group is changing; trying again until it holds still",
  "following-up": "telling your other devices, refreshing the invite",
  done: "done",
};

/** `latchkey join`: into the group with all devices. */
export const addJoinCommand: AddCommands = (program, execute) => {
  program
    .command("join")
    .description("join a group by its invite, with all your devices at once")
    .argument("<invite>", "a link, a file with its QR code or link, or - to read either from standard input")
    .option("--timeout <duration>", "give up after so long, as in 30s or 2m (default: 1m)", parseTimeoutMs)
    .option("--yes", "join without asking, also at a terminal")
    .action((source: string, options: { timeout?: number; yes?: true }) =>
      execute((context) => join(context, source, options)),
    );
};

async function join(
  context: CommandContext,
  source: string,
  { timeout: timeoutMs, yes }: { readonly timeout?: number; readonly yes?: true },
): Promise<CommandResult> {
  const { out, signal } = context;
  const link = await readInviteSource(source, context);
  return withClient(context, async (client) => {
    if (yes !== true && canAsk(context) && !(await confirmJoin(context, client, link))) {
      return { json: { joined: false }, human: () => "Nothing was done." };
    }
    const { group, status } = await client.conversations
      .joinByInvite(link, {
        signal,
        onProgress: sayOnce((text) => out.progress(text)),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
      .catch((error: unknown) => {
        const { text, next } = INVITE_END_TEXTS[inviteEndOf(error)];
        out.progress(`${text} ${next}`);
        throw error;
      });
    const own = group.members().find(({ inboxId }) => inboxId === client.inboxId);
    const devices = own?.installations.length ?? 0;
    return {
      json: { group: groupJson(group), status, devices, failedDevices: own?.failedInstallations.length ?? 0 },
      human: (style) =>
        `${style.good("✓")} You are in ${style.bold(groupName(group))} (${shortId(group.id)}) with ${plural(devices, "device")}.`,
    };
  });
}

/** Shows the group before anything is written, and asks. */
async function confirmJoin(context: CommandContext, client: Client, link: string | Uint8Array): Promise<boolean> {
  const { out, signal } = context;
  out.progress("looking at the group; nobody in it sees that");
  try {
    for (const line of previewLines(await client.conversations.previewInvite(link, { signal }), out.style)) {
      out.line(line);
    }
  } catch (error) {
    if (!(error instanceof LatchkeyError) || !error.retryable) throw error;
    out.warn(`the group cannot be shown now: ${error.message}`);
  }
  return confirm(context, "Join with all your devices?");
}

/** Says each step once: an attempt that is repeated has nothing new to say. */
function sayOnce(say: (text: string) => void): (progress: JoinProgress) => void {
  const said = new Set<JoinStep>(["done"]);
  return ({ step }) => {
    if (said.has(step)) return;
    said.add(step);
    say(STEPS[step]);
  };
}

function parseTimeoutMs(text: string): number {
  const ns = parseDurationNs(text);
  if (ns === undefined) throw new InvalidArgumentError("Expected a duration such as 30s or 2m.");
  return Number(ns / 1_000_000n);
}
