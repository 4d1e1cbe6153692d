import {
  PERMISSION_POLICIES,
  REGULATED_ACTIONS,
  type Group,
  type PermissionPolicy,
  type RegulatedAction,
} from "@latchkey/client";
import { Argument, type Command } from "commander";
import type { CommandContext, Execute } from "../context.ts";
import { groupJson, groupName } from "../describe.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";
import { printableLine } from "../text.ts";

const GROUP = "name of the group, or the beginning of its id";

/** Actions and policies as they are typed: add-member, super-admin. */
function typed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll("_", "-");
}

const ACTIONS = new Map(REGULATED_ACTIONS.map((action) => [typed(action), action]));
const POLICIES = new Map(PERMISSION_POLICIES.map((policy) => [typed(policy), policy]));

/** `latchkey group …`: settings of a group, and one's own part in it. */
export function addGroupSettings(group: Command, execute: Execute): void {
  group
    .command("describe")
    .description("give a group another description")
    .argument("<group>", GROUP)
    .argument("<text>", "the new description")
    .action((wanted: string, text: string) =>
      execute((context) =>
        change(context, wanted, `has the description ${printableLine(text)}`, (found, options) =>
          found.updateDescription(text, options),
        ),
      ),
    );
  group
    .command("permissions")
    .description("show who may do what in a group")
    .argument("<group>", GROUP)
    .action((wanted: string) => execute((context) => permissions(context, wanted)));
  group
    .command("permit")
    .description("say who may do something in a group")
    .argument("<group>", GROUP)
    .addArgument(new Argument("<action>", "what it is about").choices([...ACTIONS.keys()]))
    .addArgument(new Argument("<policy>", "who may do it").choices([...POLICIES.keys()]))
    .action((wanted: string, action: string, policy: string) =>
      execute((context) => permit(context, wanted, action, policy)),
    );
  group
    .command("rotate-keys")
    .description("give this device fresh keys in a group")
    .argument("<group>", GROUP)
    .action((wanted: string) =>
      execute((context) =>
        change(context, wanted, "has fresh keys of this device", (found, options) => found.rotateKeys(options)),
      ),
    );
  group
    .command("leave")
    .description("ask to be taken out of a group with all devices; a super admin's client does it")
    .argument("<group>", GROUP)
    .action((wanted: string) =>
      execute((context) =>
        change(context, wanted, "knows that you want to leave", (found, options) => found.leave(options)),
      ),
    );
}

async function change(
  context: CommandContext,
  wanted: string,
  outcome: string,
  act: (group: Group, options: { readonly signal: AbortSignal }) => Promise<void>,
): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    await act(group, { signal: context.signal });
    return {
      json: { group: groupJson(group) },
      human: (style) => `${style.good("✓")} ${style.bold(groupName(group))} ${outcome}.`,
    };
  });
}

function permissions(context: CommandContext, wanted: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => ({
    json: { group: groupJson(group), permissions: group.permissions },
    human: () =>
      [...ACTIONS].map(([name, action]) => `${name.padEnd(30)}${typed(group.permissions[action])}`).join("\n"),
  }));
}

function permit(context: CommandContext, wanted: string, action: string, policy: string): Promise<CommandResult> {
  // Commander has refused everything else.
  const [known, chosen] = [ACTIONS.get(action), POLICIES.get(policy)] as [RegulatedAction, PermissionPolicy];
  return change(context, wanted, `lets ${action} be done as ${policy} says`, (group, options) =>
    group.updatePermission(known, chosen, options),
  );
}
