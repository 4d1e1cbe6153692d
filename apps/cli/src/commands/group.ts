import type { Group } from "@latchkey/client";
import { InvalidArgumentError, Option } from "commander";
import { canAsk, confirm } from "../ask.ts";
import type { AddCommands, CommandContext } from "../context.ts";
import {
  additionJson,
  additionLines,
  groupJson,
  groupLine,
  groupName,
  memberJson,
  memberLine,
  plural,
} from "../describe.ts";
import { cliError } from "../errors.ts";
import type { CommandResult } from "../output.ts";
import { withClient, withGroup } from "../own-client.ts";
import { addGroupHistories } from "./group-histories.ts";
import { addGroupSettings } from "./group-settings.ts";
import { quoted, shortId } from "../text.ts";

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
  addGroupSettings(group, execute);
  addGroupHistories(group, execute);
  group
    .command("remove")
    .description("remove people from a group; an invite in force stays in their hands unless it is replaced")
    .argument("<group>", GROUP)
    .argument("<inboxId...>", 'inbox ids of members, see "latchkey group members"')
    .addOption(
      new Option(
        "--rotate-invite <what>",
        "renew the invite right behind the removal: its key, its slot too, or no",
      ).choices(["key", "slot", "no"]),
    )
    .action((wanted: string, inboxIds: string[], { rotateInvite }: { rotateInvite?: "key" | "slot" | "no" }) =>
      execute((context) => remove(context, wanted, inboxIds, rotateInvite)),
    );
};

async function remove(
  context: CommandContext,
  wanted: string,
  inboxIds: readonly string[],
  choice: "key" | "slot" | "no" | undefined,
): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    const members = new Set(group.members().map(({ inboxId }) => inboxId));
    const stranger = inboxIds.find((inboxId) => !members.has(inboxId));
    if (stranger !== undefined) {
      throw cliError("USAGE", `${quoted(shortId(stranger))} is no member; "latchkey group members" lists the ids`);
    }
    const rotateInvite = await chooseRotation(context, group, choice);
    const { removed, joinedMeanwhile, invite, mayHoldLiveInvite, renewalPending } = await group.removeMembers(
      inboxIds,
      {
        rotateInvite,
        signal: context.signal,
      },
    );
    return {
      json: {
        group: groupJson(group),
        removed,
        joinedMeanwhile,
        mayHoldLiveInvite,
        renewalPending,
        inviteUrl: invite?.url ?? null,
      },
      human: (style) =>
        [
          `${style.good("✓")} ${plural(removed.length, "member")} removed from ${style.bold(groupName(group))}.`,
          ...(rotateInvite === false || invite === undefined ? [] : ["The new invite:", invite.url]),
          ...(renewalPending
            ? [`${style.bad("!")} The invite is off; "latchkey group list" makes the new one when the node answers.`]
            : []),
          ...joinedMeanwhile.map((id) => `${style.bad("!")} ${shortId(id)} joined by the old invite meanwhile.`),
          ...(mayHoldLiveInvite
            ? [
                `${style.bad("!")} They can read the key of the invite in force and may come back by it.`,
                style.dim('"latchkey invite rotate" replaces it.'),
              ]
            : []),
        ].join("\n"),
    };
  });
}

/** From the command line, or else from the person at the terminal; without either the invite stays. */
async function chooseRotation(context: CommandContext, group: Group, choice: "key" | "slot" | "no" | undefined) {
  if (choice === "no") return false;
  if (choice !== undefined) return choice;
  if (group.invites.current === undefined || !canAsk(context)) return false;
  const rotate = await confirm(context, "They know the invite in force. Replace its key, so that old links die?");
  return rotate ? "key" : false;
}

function create(context: CommandContext, name: string, inboxIds: readonly string[]): Promise<CommandResult> {
  const { out, signal } = context;
  return withClient(context, async (client) => {
    out.progress(inboxIds.length === 0 ? "creating the group" : `creating the group, adding ${inboxIds.length}`);
    const group = await client.conversations.createGroup(inboxIds, { name, signal });
    // Said while the client is open: a group reads its members from the store.
    const lines = [groupLine(group, out.style), ...additionLines(group.lastAddition, out.style)];
    const json = { group: groupJson(group), addition: additionJson(group.lastAddition) };
    return { json, human: () => lines.join("\n") };
  });
}

function list(context: CommandContext): Promise<CommandResult> {
  return withClient(context, async (client) => {
    await client.conversations.sync({ signal: context.signal });
    const groups = client.conversations.list();
    const lines = groups.map((group) => groupLine(group, context.out.style)).join("\n");
    const unsupported = client.conversations.listUnsupported();
    const conflicting = await client.conversations.conflicts({ signal: context.signal });
    const note = unsupportedNote(unsupported.length) + conflictNote(conflicting.length);
    return {
      json: {
        groups: groups.map(groupJson),
        unsupported: unsupported.map(({ id }) => id),
        conflicts: conflicting.map(({ groupId }) => groupId),
      },
      human: () => (lines || 'No groups yet; "latchkey group create <name>" makes one.') + note,
    };
  });
}

/** What to do about groups that cannot be opened; nothing when there are none. */
function unsupportedNote(count: number): string {
  if (count === 0) return "";
  const groups = `${plural(count, "group")} of XMTP's older form`;
  return `\nYou were added to ${groups} as well: ask the admins to migrate, to remove you and to add you again.`;
}

/** What to do about ids that several histories claim; nothing when there are none. */
function conflictNote(count: number): string {
  if (count === 0) return "";
  return `\nSomebody claims the id of ${plural(count, "group")}; "latchkey group conflicts" shows by whom.`;
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
