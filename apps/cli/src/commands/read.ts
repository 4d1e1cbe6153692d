import type { AddCommands, CommandContext } from "../context.ts";
import { endNote, joinJson, messageJson, queuedJson, queuedLine } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";
import { entriesSoFar, entryJson, entryLine, followEntries, type Entry } from "../timeline.ts";

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
    const entries = entriesSoFar(group);
    const queue = group.queue();
    return {
      json: {
        messages: group.messages().map(messageJson),
        joins: group.joins().map(joinJson),
        queue: queue.map(queuedJson),
      },
      human: (style) =>
        [
          ...entries.map((entry) => entryLine(entry, inboxId, style)),
          ...queue.map((queued) => queuedLine(queued, style)),
        ].join("\n"),
    };
  });
}

function readOn(context: CommandContext, wanted: string): Promise<CommandResult> {
  const { out, signal } = context;
  return withGroup(context, wanted, async (group, { inboxId }) => {
    let count = 0;
    const show = (entry: Entry) => {
      if ("message" in entry) count += 1;
      out.entry(entryJson(entry), entryLine(entry, inboxId, out.style));
    };
    for (const entry of entriesSoFar(group)) show(entry);
    for (const queued of group.queue()) out.entry({ queued: queuedJson(queued) }, queuedLine(queued, out.style));
    await followEntries(group, signal, show);
    return { json: { count, active: group.isActive }, human: () => endNote(group) };
  });
}
