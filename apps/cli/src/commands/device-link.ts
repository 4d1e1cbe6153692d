import type { Client, DeviceCode, LinkProgress } from "@latchkey/client";
import { linkNodeDevice } from "@latchkey/client/node";
import { InvalidArgumentError, type Command } from "commander";
import { join } from "node:path";
import { askLine, canAsk, confirm } from "../ask.ts";
import type { CommandContext, Execute } from "../context.ts";
import { createPrivateDir, readConfig, writeConfig, writePrivateFile } from "../data-dir.ts";
import { plural } from "../describe.ts";
import { readInviteSource } from "../invite-source.ts";
import type { CommandResult } from "../output.ts";
import { clientOptions, withClient } from "../own-client.ts";
import { addresses } from "../settings.ts";
import { fits, terminalQr } from "../terminal-qr.ts";
import { shortId } from "../text.ts";

interface LinkOptions {
  readonly qrPng?: string;
  readonly history?: number;
  readonly yes?: true;
}

const MAX_HISTORY = 10_000;

/** `latchkey device link`: on both devices; whichever has no inbox yet is the new one. */
export function addDeviceLink(device: Command, execute: Execute): void {
  device
    .command("link")
    .description("link a new device: run it on both; one shows a code, the other one is given it")
    .argument("[code]", "the code that the other device shows: its text, or a file with its picture")
    .option("--qr-png <file>", "write the code as a PNG image")
    .option("--history <messages>", "messages of each group to bring along, 0 for none (default: 100)", parseHistory)
    .option("--yes", "do not ask")
    .action((code: string | undefined, options: LinkOptions) => execute((context) => link(context, code, options)));
}

async function link(context: CommandContext, source: string | undefined, options: LinkOptions): Promise<CommandResult> {
  const code = source === undefined ? undefined : await readInviteSource(source, context);
  const isOld = (await readConfig(context.settings.dataDir)) !== undefined;
  return isOld
    ? withClient(context, (client) => linkOld(context, client, code, options))
    : linkNew(context, code, options);
}

async function linkOld(
  context: CommandContext,
  client: Client,
  code: string | Uint8Array | undefined,
  options: LinkOptions,
): Promise<CommandResult> {
  const { out, signal } = context;
  if (!(await mayLink(context, client, options))) return { json: { linked: false }, human: () => "Nothing was done." };
  const steps = new Steps(context, options.qrPng);
  const { installationId, addedTo, missed, history } = await client.linkDevice({
    signal,
    ...(code === undefined ? {} : { code }),
    ...(options.history === undefined ? {} : { history: options.history }),
    onProgress: (progress) => steps.show(progress),
    readDigits: async (end) => {
      await steps.shown;
      out.progress("the new device shows six digits");
      if (out.json) out.entry({ step: "type-digits" }, "");
      return askLine(context, "Digits:", end);
    },
  });
  return {
    json: { linked: true, installationId, addedTo, missed, history },
    human: (style) =>
      [
        `${style.good("✓")} ${style.bold(shortId(installationId))} is a device of yours, in ${plural(addedTo, "group")}.`,
        ...missed.map(({ groupId, code: why }) => style.bad(`! not yet in group ${shortId(groupId)}: ${why}`)),
        style.dim(
          `  ${plural(history.messages, "message")} brought along${history.isComplete ? "" : ", then it broke off"}`,
        ),
      ].join("\n"),
  };
}

/** Says what linking means, and asks where a person can answer. */
async function mayLink(context: CommandContext, client: Client, { yes }: LinkOptions): Promise<boolean> {
  const { out, signal } = context;
  const { installations, accounts, recoveryIdentifier } = await client.inboxState({ signal });
  out.warn("the new device will read everything and can act as you");
  // Whoever steals the only device that has the recovery key can revoke all others.
  const [first] = accounts;
  if (installations.length === 1 && first?.identifier === recoveryIdentifier) {
    out.warn('if this device is stolen, its thief holds recovery: run "latchkey device recovery" first');
  }
  return yes === true || !canAsk(context) || confirm(context, "Link a new device?");
}

async function linkNew(
  context: CommandContext,
  code: string | Uint8Array | undefined,
  { qrPng, yes }: LinkOptions,
): Promise<CommandResult> {
  const { settings, signal } = context;
  const { dataDir } = settings;
  await createPrivateDir(dataDir.path);
  const { nodeUrl, inviteServiceUrl } = addresses(settings, undefined);
  const steps = new Steps(context, qrPng);
  const confirmInbox = (inboxId: string) =>
    yes === true || !canAsk(context) || confirm(context, `Join the inbox ${inboxId}?`);
  const client = await linkNodeDevice(await clientOptions(settings, { nodeUrl, inviteServiceUrl }), {
    signal,
    ...(code === undefined ? {} : { code }),
    confirmInbox,
    onProgress: (progress) => steps.show(progress),
  });
  try {
    // Last, so that a directory with a configuration is one that works. The wallet's key stays on the other device.
    await writeConfig(dataDir, {
      nodeUrl,
      keyFile: dataDir.keyFile,
      ...(inviteServiceUrl === nodeUrl ? {} : { inviteServiceUrl }),
    });
    const { inboxId, installationId } = client;
    const groups = client.conversations.list().length;
    return {
      json: { linked: true, inboxId, installationId, groups, dataDir: dataDir.path },
      human: (style) =>
        [
          `${style.good("✓")} This device is linked, and in ${plural(groups, "group")}.`,
          `  inbox  ${inboxId}`,
          `  data   ${dataDir.path}`,
        ].join("\n"),
    };
  } finally {
    client.close();
  }
}

/** Shows each step as it comes. */
class Steps {
  readonly #context: CommandContext;
  readonly #qrPng: string | undefined;
  /** Resolves once the code was shown. */
  shown: Promise<void> = Promise.resolve();

  constructor(context: CommandContext, qrPng: string | undefined) {
    this.#context = context;
    this.#qrPng = qrPng;
  }

  show(progress: LinkProgress): void {
    const { out } = this.#context;
    switch (progress.step) {
      case "code":
        this.shown = this.#showCode(progress.code);
        break;
      case "digits":
        out.entry({ ...progress }, `Type these digits into the other device: ${out.style.bold(progress.digits)}`);
        break;
      case "inbox":
        out.progress(`the other device belongs to inbox ${progress.inboxId}`);
        break;
      case "signing":
        out.progress("signing the addition");
        break;
      case "registered":
        out.progress(`device ${shortId(progress.installationId)} is part of the inbox`);
        break;
      case "adding":
        out.progress(`added to ${progress.added} of ${plural(progress.total, "group")}`);
        break;
      case "history":
        out.progress(`${plural(progress.messages, "message")} brought along`);
        break;
    }
  }

  async #showCode(code: DeviceCode): Promise<void> {
    const { out, settings } = this.#context;
    const drawn = terminalQr(code, out.style, out.background);
    const tooSmall = !fits(drawn, out.size);
    const file = this.#qrPng ?? (tooSmall && !out.json ? join(settings.dataDir.path, "device.png") : undefined);
    if (file !== undefined) await writePrivateFile(file, code.toQR("png"));
    if (out.json) {
      out.entry({ step: "code", code: code.text, qrPng: file ?? null }, "");
      return;
    }
    out.line(tooSmall ? out.style.bold("This terminal is too small for the code; it was written to a file.") : drawn);
    out.line(`Scan this with the other device within two minutes, or run there:`);
    out.line(`latchkey device link ${code.text}`);
    if (file !== undefined) out.line(out.style.dim(`Written to ${file}`));
    out.line(out.style.dim("Let nobody else see it."));
  }
}

function parseHistory(text: string): number {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(count <= MAX_HISTORY)) throw new InvalidArgumentError(`Expected a whole number up to ${MAX_HISTORY}.`);
  return count;
}
