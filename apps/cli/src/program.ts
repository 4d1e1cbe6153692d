import { Command } from "commander";
import { addCancelCommand } from "./commands/cancel.ts";
import { addChatCommand } from "./commands/chat.ts";
import { addDeviceCommands } from "./commands/device.ts";
import { addDatabaseCommands } from "./commands/db.ts";
import { addGroupCommands } from "./commands/group.ts";
import { addInitCommand } from "./commands/init.ts";
import { addInspectCommand } from "./commands/inspect.ts";
import { addInviteCommands } from "./commands/invite.ts";
import { addJoinCommand } from "./commands/join.ts";
import { addReadCommand } from "./commands/read.ts";
import { addRekeyCommand } from "./commands/rekey.ts";
import { addSendCommand } from "./commands/send.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addWhoamiCommand } from "./commands/whoami.ts";
import type { AddCommands, Execute } from "./context.ts";
import { DEFAULT_NODE_URL } from "./data-dir.ts";
import { EXIT } from "./errors.ts";

/** In the order of `--help`, the order of a newcomer's needs. */
const COMMANDS: readonly AddCommands[] = [
  addServeCommand,
  addInitCommand,
  addWhoamiCommand,
  addGroupCommands,
  addInviteCommands,
  addJoinCommand,
  addInspectCommand,
  addSendCommand,
  addReadCommand,
  addChatCommand,
  addCancelCommand,
  addDeviceCommands,
  addRekeyCommand,
  addDatabaseCommands,
];

function exitHelp(): string {
  const rows = Object.values(EXIT).map(({ status, meaning }) => `  ${status.toString().padEnd(4)} ${meaning}`);
  return `\nExit status:\n${rows.join("\n")}`;
}

/** Where the program's own texts (help, version) go. */
export interface ProgramText {
  readonly out: (text: string) => unknown;
  readonly err: (text: string) => unknown;
}

/** The whole command line; usage errors and `--help` end in a CommanderError instead of leaving the process. */
export function createProgram(version: string, text: ProgramText, execute: Execute): Command {
  const program = new Command("latchkey")
    .description("Encrypted groups that people join by scanning a QR code, with all their devices at once.")
    .version(version)
    .option("--data-dir <dir>", "where this installation lives (default: $LATCHKEY_HOME or ~/.latchkey)")
    .option("--node <url>", `address of the node (default: the one given to init, or ${DEFAULT_NODE_URL})`)
    .option("--invite-service <url>", "address of the invite service (default: the node)")
    .option("--json", "print one JSON object as the last line instead of text")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (chunk) => text.out(chunk),
      writeErr: (chunk) => text.err(chunk),
      outputError: () => undefined,
    })
    .exitOverride()
    .addHelpText("after", exitHelp());
  for (const addCommands of COMMANDS) addCommands(program, execute);
  return program;
}
