import type { AddCommands, CommandContext } from "../context.ts";
import { endNote, messageJson, messageLine } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";

/** `latchkey read`: the messages of a group. */
export const addReadCommand: AddCommands = (program, execute) => {
  program
    .command("read")
    .description("print the messages of a group")
    .argument("<group>", "name of the group, or the beginning of its id")
    .option("--follow", "go on with what comes, one line each, until Ctrl-C")
    .action((wanted: string, { follow }: { follow?: true }) =>
      execute((context) => (follow === true ? readOn(context, wanted) : read(context, wanted))),
    );
};

function read(context: CommandContext, wanted: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group, { inboxId }) => {
    const messages = group.messages();
    return {
      json: { messages: messages.map(messageJson) },
      human: (style) => messages.map((message) => messageLine(message, inboxId, style)).join("\n"),
    };
  });
}

function readOn(context: CommandContext, wanted: string): Promise<CommandResult> {
  const { out, signal } = context;
  return withGroup(context, wanted, async (group, { inboxId }) => {
    let count = 0;
    const show = (message: Parameters<typeof messageJson>[0]) => {
      count += 1;
      out.entry({ message: messageJson(message) }, messageLine(message, inboxId, out.style));
    };
    for (const message of group.messages()) show(message);
    for await (const message of group.stream({ signal })) show(message);
    return { json: { count, active: group.isActive }, human: () => endNote(group) };
  });
}
