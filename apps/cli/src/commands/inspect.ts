import { inspectInvite, type InviteSummary } from "@latchkey/client";
import type { AddCommands, CommandContext } from "../context.ts";
import { readInviteSource } from "../invite-source.ts";
import type { CommandResult } from "../output.ts";

/** `latchkey inspect`: what an invite says, offline and without its key. */
export const addInspectCommand: AddCommands = (program, execute) => {
  program
    .command("inspect")
    .description("say what an invite is, offline; never shows its key")
    .argument("<invite>", "a link, a file with its QR code or link, or - to read either from standard input")
    .action((source: string) => execute((context) => inspect(context, source)));
};

async function inspect(context: CommandContext, source: string): Promise<CommandResult> {
  const summary = inspectInvite(await readInviteSource(source, context));
  return { json: { invite: summary }, human: () => describeInvite(summary) };
}

function describeInvite({ version, serviceUrl, externalGroupId, exposed, checksum }: InviteSummary): string {
  return [
    `Invite to an encrypted group (XIP-82, version ${version})`,
    `  service  ${serviceUrl ?? "not named; the app has to know it"}`,
    `  slot     ${externalGroupId}`,
    "  key      present, not shown",
    ...(exposed ? ["  exposed  a server has seen this invite, because its # was encoded: have it rotated"] : []),
    ...(checksum === "wrong" ? ["  typed    a character may be wrong: the last characters do not fit"] : []),
  ].join("\n");
}
