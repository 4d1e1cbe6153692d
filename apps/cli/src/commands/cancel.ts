import type { QueuedMessage } from "@latchkey/client";
import type { AddCommands, CommandContext } from "../context.ts";
import { queuedJson } from "../describe.ts";
import { cliError } from "../errors.ts";
import type { CommandResult } from "../output.ts";
import { findOwnGroup, withClient } from "../own-client.ts";
import { quoted } from "../text.ts";

/** `latchkey cancel`: takes an own message that waits, or that failed, out of the queue. */
export const addCancelCommand: AddCommands = (program, execute) => {
  program
    .command("cancel")
    .description("take a message that waits or was not sent out of the queue; works without network")
    .argument("<group>", "name of the group, or the beginning of its id")
    .argument("<message>", 'beginning of an id that "latchkey read" lists behind the messages')
    .action((wanted: string, message: string) => execute((context) => cancel(context, wanted, message)));
};

/** Nothing is synchronized before: that would send the message. */
function cancel(context: CommandContext, wanted: string, message: string): Promise<CommandResult> {
  return withClient(context, async (client) => {
    const group = findOwnGroup(client.conversations.list(), wanted);
    const queued = findQueued(group.queue(), message);
    const { cancelled, mayHaveLeft } = await group.cancel(queued.id, { signal: context.signal });
    return {
      json: { cancelled, mayHaveLeft, message: queuedJson(queued) },
      human: (style) =>
        mayHaveLeft
          ? `${style.good("✓")} cancelled; a copy may have left before, so that members may read it`
          : `${style.good("✓")} cancelled; nobody has read it`,
    };
  });
}

function findQueued(queue: readonly QueuedMessage[], wanted: string): QueuedMessage {
  const [found, ...others] = wanted === "" ? [] : queue.filter(({ id }) => id.startsWith(wanted.toLowerCase()));
  if (found !== undefined && others.length === 0) return found;
  const problem = found === undefined ? "no queued message has an id that begins" : "several have ids that begin";
  throw cliError("USAGE", `${problem} with ${quoted(wanted)}; see "latchkey read"`);
}
