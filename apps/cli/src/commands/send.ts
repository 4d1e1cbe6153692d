import type { AddCommands, CommandContext } from "../context.ts";
import { groupName, messageJson } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";

/** `latchkey send`: one text message. */
export const addSendCommand: AddCommands = (program, execute) => {
  program
    .command("send")
    .description("send a text to a group; done once the node has it in its place")
    .argument("<group>", "name of the group, or the beginning of its id")
    .argument("<text>", "what to say")
    .action((wanted: string, text: string) => execute((context) => send(context, wanted, text)));
};

function send(context: CommandContext, wanted: string, text: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    const message = await group.send(text, { signal: context.signal });
    return {
      json: { message: messageJson(message) },
      human: (style) => `${style.good("✓")} sent to ${style.bold(groupName(group))}`,
    };
  });
}
