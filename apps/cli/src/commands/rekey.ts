import { resolve } from "node:path";
import { changeDatabaseKey } from "@latchkey/client/node";
import { Option } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { hasDatabase } from "../data-dir.ts";
import { cliError } from "../errors.ts";
import { readKey, readOrCreateKey } from "../key-file.ts";
import type { CommandResult } from "../output.ts";

interface RekeyOptions {
  readonly newKeyFile?: string;
  readonly decrypt?: true;
}

/** `latchkey rekey`: encrypts the database, gives it another key, or decrypts it. */
export const addRekeyCommand: AddCommands = (program, execute) => {
  program
    .command("rekey")
    .description("encrypt the database, or give it another key; the one it has is read from $LATCHKEY_DB_KEY_FILE")
    .option("--new-key-file <file>", "the key to encrypt it with from now on; made when it is missing")
    .addOption(new Option("--decrypt", "leave it without encryption").conflicts("newKeyFile"))
    .action((options: RekeyOptions) => execute((context) => rekey(context, options)));
};

async function rekey({ settings }: CommandContext, options: RekeyOptions): Promise<CommandResult> {
  const { dataDir, databaseKeyFile } = settings;
  if (options.newKeyFile === undefined && options.decrypt !== true) {
    throw cliError("USAGE", "say --new-key-file or --decrypt");
  }
  if (!(await hasDatabase(dataDir))) {
    throw cliError("NOT_INITIALISED", `nothing lives in ${dataDir.path} yet; run "latchkey init" first`);
  }
  const from = databaseKeyFile === undefined ? undefined : await readKey(databaseKeyFile, "database");
  const newKeyFile = options.newKeyFile === undefined ? undefined : resolve(options.newKeyFile);
  const to = newKeyFile === undefined ? undefined : (await readOrCreateKey(newKeyFile, "database")).key;
  changeDatabaseKey(dataDir.databaseFile, { from, to });
  return {
    json: { encrypted: to !== undefined, keyFile: newKeyFile ?? null },
    human: (style) =>
      newKeyFile === undefined
        ? `${style.good("✓")} The database is not encrypted any more; unset LATCHKEY_DB_KEY_FILE.`
        : `${style.good("✓")} The database is encrypted; from now on LATCHKEY_DB_KEY_FILE=${newKeyFile}`,
  };
}
