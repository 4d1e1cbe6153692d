import type { Claim, Conflict } from "@latchkey/client";
import type { Command } from "commander";
import { canAsk, confirm } from "../ask.ts";
import type { CommandContext, Execute } from "../context.ts";
import { groupJson, groupName, plural } from "../describe.ts";
import { cliError } from "../errors.ts";
import type { CommandResult, JsonObject } from "../output.ts";
import { findOwnGroup, withClient } from "../own-client.ts";
import type { Style } from "../style.ts";
import { formatTime, quoted, shortId } from "../text.ts";

/** `latchkey group …`: which history of a group is the right one, and getting rid of one. */
export function addGroupHistories(group: Command, execute: Execute): void {
  group
    .command("forget")
    .description("delete a group and its messages on this device, without a word to its members")
    .argument("<group>", "name of the group, or the beginning of its id")
    .option("--yes", "do not ask")
    .action((wanted: string, { yes }: { yes?: true }) => execute((context) => forget(context, wanted, yes === true)));
  group
    .command("conflicts")
    .description("list groups whose id several histories claim")
    .action(() => execute(conflicts));
  group
    .command("choose")
    .description("say which history of a group is the right one")
    .argument("<claim>", 'beginning of an id that "latchkey group conflicts" lists')
    .action((wanted: string) => execute((context) => choose(context, wanted)));
}

function forget(context: CommandContext, wanted: string, isSure: boolean): Promise<CommandResult> {
  return withClient(context, async (client) => {
    const group = findOwnGroup(client.conversations.list(), wanted);
    const name = groupName(group);
    const question = `Delete ${name} with its messages on this device?`;
    if (!isSure && canAsk(context) && !(await confirm(context, question))) {
      return { json: { forgotten: null }, human: () => "Nothing was deleted." };
    }
    const forgotten = groupJson(group);
    await group.forget({ signal: context.signal });
    return {
      json: { forgotten },
      human: (style) => `${style.good("✓")} ${style.bold(name)} is gone from this device. Its members do not know.`,
    };
  });
}

function claimJson(claim: Claim): JsonObject {
  return { ...claim, signer: claim.signer ?? null };
}

function claimLine({ id, signer, installationCount, receivedAtNs, isProven, isShown }: Claim, style: Style): string {
  const notes = [
    signer === undefined ? "made or joined by you" : `from ${shortId(signer)}`,
    plural(installationCount, "device"),
    formatTime(receivedAtNs),
    ...(isProven ? ["proven"] : []),
    ...(isShown ? ["shown"] : []),
  ];
  return `  ${id}  ${style.dim(notes.join(", "))}`;
}

function conflictLines({ groupId, claims }: Conflict, style: Style): string[] {
  return [style.bold(shortId(groupId)), ...claims.map((claim) => claimLine(claim, style))];
}

function conflicts(context: CommandContext): Promise<CommandResult> {
  return withClient(context, async (client) => {
    const { signal } = context;
    await client.conversations.sync({ signal });
    const found = await client.conversations.conflicts({ signal });
    return {
      json: { conflicts: found.map(({ groupId, claims }) => ({ groupId, claims: claims.map(claimJson) })) },
      human: (style) =>
        found.length === 0
          ? "No conflicts."
          : [
              ...found.flatMap((conflict) => conflictLines(conflict, style)),
              style.dim('Ask a member by another way, then "latchkey group choose <id>".'),
            ].join("\n"),
    };
  });
}

function choose(context: CommandContext, wanted: string): Promise<CommandResult> {
  return withClient(context, async (client) => {
    const { signal } = context;
    const claims = (await client.conversations.conflicts({ signal })).flatMap((conflict) => conflict.claims);
    const [claim, ...others] = wanted === "" ? [] : claims.filter(({ id }) => id.startsWith(wanted.toLowerCase()));
    if (claim === undefined || others.length > 0) {
      const problem = claim === undefined ? "no claim has an id that begins" : "several claims have ids that begin";
      throw cliError("USAGE", `${problem} with ${quoted(wanted)}; see "latchkey group conflicts"`);
    }
    const group = await client.conversations.choose(claim.id);
    await group.sync({ signal });
    return {
      json: { group: groupJson(group) },
      human: (style) => `${style.good("✓")} ${shortId(group.id)} is ${style.bold(groupName(group))} now.`,
    };
  });
}
