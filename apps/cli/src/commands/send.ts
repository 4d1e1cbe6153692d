import type { AddCommands, CommandContext } from "../context.ts";
import { groupName, messageJson, queuedJson, queuedLine } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";

/** `latchkey send`: one text message. */
export const addSendCommand: AddCommands = (program, execute) => {
  program
    .command("send")
    .description("send a text to a group; done once the node has it in its place")
    .argument("<group>", "name of the group, or the beginning of its id")
    .argument("<text>", "what to say")
    .option("--key <key>", "name of this one message: sent again with the same key it is still sent once")
    .action((wanted: string, text: string, { key }: { key?: string }) =>
      execute((context) => send(context, wanted, text, key)),
    );
};

function send(context: CommandContext, wanted: string, text: string, key: string | undefined): Promise<CommandResult> {
  const { signal } = context;
  return withGroup(context, wanted, async (group) => {
    const message = await group.send(text, key === undefined ? { signal } : { signal, idempotencyKey: key });
    // A message that the log has behind an entry that waits is sent, and not read as far yet.
    const others = group.queue().filter(({ id }) => id !== message.id);
    return {
      json: { message: messageJson(message), queue: others.map(queuedJson) },
      human: (style) =>
        [
          `${style.good("✓")} sent to ${style.bold(groupName(group))}`,
          ...others.map((queued) => queuedLine(queued, style)),
        ].join("\n"),
    };
  });
}
