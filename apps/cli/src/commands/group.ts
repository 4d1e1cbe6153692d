import { InvalidArgumentError } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { groupJson, groupLine, groupName, memberJson, memberLine } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withClient, withGroup } from "../own-client.ts";
import { shortId } from "../text.ts";

const GROUP = "name of the group, or the beginning of its id";

/** `latchkey group …`: make groups and look at them. */
export const addGroupCommands: AddCommands = (program, execute) => {
  const group = program.command("group").description("create groups and look at them");
  group
    .command("create")
    .description("create a group with you as its super admin")
    .argument("<name>", "what the group is called")
    .option("--member <inboxId>", "an inbox to add with all its devices; repeat for more", collectInboxId, [])
    .action((name: string, { member }: { member: string[] }) => execute((context) => create(context, name, member)));
  group
    .command("list")
    .description("list the groups of this installation")
    .action(() => execute(list));
  group
    .command("members")
    .description("list the members of a group")
    .argument("<group>", GROUP)
    .action((wanted: string) => execute((context) => members(context, wanted)));
  group
    .command("rename")
    .description("give a group another name")
    .argument("<group>", GROUP)
    .argument("<name>", "the new name")
    .action((wanted: string, name: string) => execute((context) => rename(context, wanted, name)));
};

function create(context: CommandContext, name: string, inboxIds: readonly string[]): Promise<CommandResult> {
  const { out, signal } = context;
  return withClient(context, async (client) => {
    out.progress(inboxIds.length === 0 ? "creating the group" : `creating the group, adding ${inboxIds.length}`);
    const group = await client.conversations.createGroup(inboxIds, { name, signal });
    return { json: { group: groupJson(group) }, human: (style) => groupLine(group, style) };
  });
}

function list(context: CommandContext): Promise<CommandResult> {
  return withClient(context, async (client) => {
    await client.conversations.sync({ signal: context.signal });
    const groups = client.conversations.list();
    return {
      json: { groups: groups.map(groupJson) },
      human: (style) =>
        groups.map((group) => groupLine(group, style)).join("\n") ||
        'No groups yet; "latchkey group create <name>" makes one.',
    };
  });
}

function members(context: CommandContext, wanted: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group, { inboxId }) => {
    const found = group.members();
    return {
      json: { group: groupJson(group), members: found.map((member) => memberJson(member, inboxId)) },
      human: (style) => found.map((member) => memberLine(member, inboxId, style)).join("\n"),
    };
  });
}

function rename(context: CommandContext, wanted: string, name: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    await group.updateName(name, { signal: context.signal });
    return {
      json: { group: groupJson(group) },
      human: (style) => `${style.good("✓")} ${shortId(group.id)} is called ${style.bold(groupName(group))} now.`,
    };
  });
}

function collectInboxId(text: string, before: readonly string[]): string[] {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError("An inbox id has 64 lower-case hex digits.");
  return [...before, text];
}
