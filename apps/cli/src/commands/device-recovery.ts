import { LatchkeyError, newRecoveryWords, recoverySigner, type Client } from "@latchkey/client";
import { createNodeClient } from "@latchkey/client/node";
import type { Command } from "commander";
import { askLine, canAsk, confirm } from "../ask.ts";
import type { CommandContext, Execute } from "../context.ts";
import { createPrivateDir, readConfig, writeConfig } from "../data-dir.ts";
import { cliError } from "../errors.ts";
import { readKey, readKeyIfThere } from "../key-file.ts";
import type { CommandResult } from "../output.ts";
import { clientOptions, signerOf, withClient } from "../own-client.ts";
import { addresses } from "../settings.ts";

interface RecoveryOptions {
  readonly restore?: true;
  readonly keyFile?: string;
  readonly yes?: true;
}

/** `latchkey device recovery`: words that open the inbox on a new device and revoke the others. */
export function addDeviceRecovery(device: Command, execute: Execute): void {
  device
    .command("recovery")
    .description("make recovery words for your inbox; with --restore, open it by them on a new device")
    .option("--restore", "read the words from standard input, and register this empty device")
    .option("--key-file <file>", "key of the present recovery address, where it is not that of this directory")
    .option("--yes", "do not ask")
    .action((options: RecoveryOptions) =>
      execute((context) => (options.restore === true ? restore(context) : make(context, options))),
    );
}

function make(context: CommandContext, options: RecoveryOptions): Promise<CommandResult> {
  return withClient(context, (client) => makeWith(context, client, options));
}

async function makeWith(
  context: CommandContext,
  client: Client,
  { keyFile, yes }: RecoveryOptions,
): Promise<CommandResult> {
  const { out, signal } = context;
  const signer = await recoveryKey(context, client, keyFile);
  const words = newRecoveryWords();
  const wallet = recoverySigner(words);
  // Before anything is changed: words that nobody has seen must not hold recovery.
  out.entry({ step: "words", words }, [...numbered(words), ""].join("\n"));
  out.warn(
    "write them on paper; they are not shown again. Whoever has them has your inbox; without them a lost recovery key is lost for good",
  );
  if (yes !== true && canAsk(context) && !(await confirm(context, "Are they written down?"))) {
    return { json: { changed: false }, human: () => "Nothing was changed; these words are worth nothing." };
  }
  // In this order: recovery must not be with an address by which nobody finds the inbox.
  await client.addAccount(wallet, { signal });
  await client.changeRecovery(wallet.identifier, { signal, signer });
  return {
    json: { changed: true, recoveryIdentifier: wallet.identifier },
    human: (style) => `${style.good("✓")} These words alone revoke devices now, and open your inbox on a new one.`,
  };
}

/** The signer that may hand recovery on, or an error before any word is shown. */
async function recoveryKey({ settings, signal }: CommandContext, client: Client, keyFile: string | undefined) {
  const { recoveryIdentifier } = await client.inboxState({ signal });
  const own = (await readConfig(settings.dataDir))?.keyFile;
  const key = keyFile === undefined ? own && (await readKeyIfThere(own)) : await readKey(keyFile);
  const signer = key ? signerOf(key) : undefined;
  if (signer?.identifier === recoveryIdentifier) return signer;
  throw new LatchkeyError(
    "NOT_RECOVERY",
    `recovery is with ${recoveryIdentifier}; give its key by --key-file, on the device that has it`,
    { scope: "caller" },
  );
}

function numbered(words: string): string[] {
  return words.split(" ").map((word, index) => `${String(index + 1).padStart(4)}  ${word}`);
}

async function restore(context: CommandContext): Promise<CommandResult> {
  const { settings, signal, out } = context;
  const { dataDir } = settings;
  if ((await readConfig(dataDir)) !== undefined) {
    throw cliError("USAGE", `a device lives in ${dataDir.path} already; choose another --data-dir`);
  }
  const signer = recoverySigner(await askLine(context, "Recovery words:"));
  await createPrivateDir(dataDir.path);
  const { nodeUrl, inviteServiceUrl } = addresses(settings, undefined);
  out.progress(`registering at ${nodeUrl}`);
  const client = await createNodeClient(signer, {
    ...(await clientOptions(settings, { nodeUrl, inviteServiceUrl })),
    signal,
  });
  try {
    // The words stay on paper: whoever steals this device must not have them.
    await writeConfig(dataDir, {
      nodeUrl,
      keyFile: dataDir.keyFile,
      ...(inviteServiceUrl === nodeUrl ? {} : { inviteServiceUrl }),
    });
    const { installations } = await client.inboxState({ signal });
    const { inboxId, installationId } = client;
    return {
      json: { inboxId, installationId, installations: installations.length, dataDir: dataDir.path },
      human: (style) =>
        [
          `${style.good("✓")} This device belongs to your inbox again.`,
          `  inbox  ${inboxId}`,
          style.dim('  revoke devices that you lost: "latchkey device revoke DEVICE --words"'),
        ].join("\n"),
    };
  } finally {
    client.close();
  }
}
