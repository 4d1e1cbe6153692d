import { resolve } from "node:path";
import { Option } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { createPrivateDir, readConfig, hasDatabase, readIfThere, writeConfig, type DataDir } from "../data-dir.ts";
import { cliError } from "../errors.ts";
import { openClient } from "../own-client.ts";
import type { CommandResult } from "../output.ts";
import { addresses } from "../settings.ts";
import { readOrCreateKey, readKey, writeKey } from "../key-file.ts";

interface InitOptions {
  readonly keyFile?: string;
  readonly import?: string;
}

/** `latchkey init`: a wallet key, its inbox, and this installation; or one more installation of a wallet. */
export const addInitCommand: AddCommands = (program, execute) => {
  program
    .command("init")
    .description("create an inbox and this installation of it; run again, it goes on where it stopped")
    .option(
      "--key-file <file>",
      "keep the wallet's key there; made when it is missing (default: <data-dir>/wallet.key)",
    )
    .addOption(
      new Option("--import <file>", "copy the wallet's key from there: one more installation of its inbox").conflicts(
        "keyFile",
      ),
    )
    .action((options: InitOptions) => execute((context) => init(context, options)));
};

async function init(context: CommandContext, options: InitOptions): Promise<CommandResult> {
  const { out, settings } = context;
  const { dataDir } = settings;
  const before = await readConfig(dataDir);
  await createPrivateDir(dataDir.path);
  const keyFile = options.keyFile === undefined ? (before?.keyFile ?? dataDir.keyFile) : resolve(options.keyFile);
  const { key, created } = await walletKey(dataDir, keyFile, options.import);
  const { nodeUrl, inviteServiceUrl } = addresses(settings, before);
  out.progress(`registering at ${nodeUrl}`);
  const client = await openClient(context, key, { nodeUrl, inviteServiceUrl });
  try {
    // Last, so that a directory with a configuration is one that works.
    await writeConfig(dataDir, { nodeUrl, keyFile, ...(inviteServiceUrl === nodeUrl ? {} : { inviteServiceUrl }) });
    const { inboxId, installationId } = client;
    return {
      json: { inboxId, installationId, nodeUrl, inviteServiceUrl, dataDir: dataDir.path, keyFile, keyCreated: created },
      human: (style) =>
        [
          `${style.good("✓")} This installation is ready.`,
          `  inbox  ${inboxId}`,
          `  data   ${dataDir.path}`,
          `  key    ${keyFile}${created ? style.dim("  (new: keep a copy, it is your identity)") : ""}`,
        ].join("\n"),
    };
  } finally {
    client.close();
  }
}

/** The key to use, after an import lies in its place; a key that is there is never overwritten. */
async function walletKey(dataDir: DataDir, keyFile: string, importFrom: string | undefined) {
  if (importFrom === undefined) {
    // A database without its key would be locked out by a new one.
    if (await hasDatabase(dataDir)) return { key: await readKey(keyFile), created: false };
    return readOrCreateKey(keyFile);
  }
  const key = await readKey(resolve(importFrom));
  if ((await readIfThere(keyFile)) === undefined) {
    await writeKey(keyFile, key);
  } else if (!Buffer.from(await readKey(keyFile)).equals(key)) {
    throw cliError("KEY_FILE_INVALID", `${keyFile} holds another wallet's key; choose another --data-dir`);
  }
  return { key, created: false };
}
