import { bumpIds, exportFromPostgres, importToPostgres, type TransferProgress } from "@latchkey/node";
import { InvalidArgumentError, type Command } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { createPrivateDir } from "../data-dir.ts";
import type { CommandResult } from "../output.ts";
import { parseDatabase } from "./database-url.ts";

interface DatabaseOptions {
  readonly database: string;
}

interface BumpOptions {
  readonly database?: string;
  readonly by?: bigint;
}

/** Most ids that one call skips: there are nine quintillion. */
const MOST_IDS = 10n ** 15n;

/** `latchkey db …`: what operators do with the data of a node that is stopped. */
export const addDatabaseCommands: AddCommands = (program, execute) => {
  const db = program.command("db").description("move the data of a node that is stopped, and mend its ids");
  const withDatabase = (command: Command): Command =>
    command.requiredOption("--database <url>", "the PostgreSQL database: postgres://user@host/database", parseDatabase);
  withDatabase(
    db
      .command("import")
      .description("copy <data-dir>/node into PostgreSQL, with all ids; goes on where it was interrupted"),
  ).action((options: DatabaseOptions) => execute((context) => move(context, options, importToPostgres)));
  withDatabase(
    db
      .command("export")
      .description("copy a PostgreSQL database into <data-dir>/node, with all ids; goes on where it was interrupted"),
  ).action((options: DatabaseOptions) => execute((context) => move(context, options, exportFromPostgres)));
  db.command("bump-ids")
    .description("skip ids after an older copy of the data was put back, so that none is given twice")
    .option("--database <url>", "a PostgreSQL database; else <data-dir>/node", parseDatabase)
    .option(
      "--by <number>",
      "how many ids to skip, more than were given since the copy (default: 100 million)",
      parseIds,
    )
    .action((options: BumpOptions) => execute((context) => bump(context, options)));
};

async function move(
  { out, settings }: CommandContext,
  { database: url }: DatabaseOptions,
  transfer: typeof importToPostgres,
): Promise<CommandResult> {
  const { nodeDir: dataDir } = settings.dataDir;
  await createPrivateDir(dataDir);
  const copied: Record<string, number> = {};
  const onProgress = ({ table, rows }: TransferProgress): void => {
    copied[table] = rows;
    out.entry({ event: "copied", table, rows }, `${table}: ${rows} rows`);
  };
  await transfer({ dataDir, url, onProgress });
  return { json: { copied }, human: (style) => `${style.good("✓")} Everything is copied, with all ids and times.` };
}

async function bump({ settings }: CommandContext, { database, by }: BumpOptions): Promise<CommandResult> {
  await bumpIds(database ?? settings.dataDir.nodeDir, by);
  return { json: {}, human: (style) => `${style.good("✓")} New messages get ids that nobody has seen.` };
}

function parseIds(text: string): bigint {
  const ids = /^\d{1,16}$/.test(text) ? BigInt(text) : 0n;
  if (ids < 1n || ids > MOST_IDS) throw new InvalidArgumentError(`Expected a number from 1 to ${MOST_IDS}.`);
  return ids;
}
