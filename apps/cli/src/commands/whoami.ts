import type { AddCommands, CommandContext } from "../context.ts";
import type { CommandResult } from "../output.ts";
import { withClient } from "../own-client.ts";

/** `latchkey whoami`: the ids of this installation; give the inbox id to whoever shall add you to a group. */
export const addWhoamiCommand: AddCommands = (program, execute) => {
  program
    .command("whoami")
    .description("show the inbox and the installation that live in the data directory")
    .action(() => execute(whoami));
};

function whoami(context: CommandContext): Promise<CommandResult> {
  return withClient(context, async ({ inboxId, installationId }) => ({
    json: { inboxId, installationId, dataDir: context.settings.dataDir.path },
    human: () =>
      `inbox         ${inboxId}\ninstallation  ${installationId}\ndata          ${context.settings.dataDir.path}`,
  }));
}
