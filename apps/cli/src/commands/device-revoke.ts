import { Client, recoverySigner, systemClock, type RevokedMember, type RevokeOptions } from "@latchkey/client";
import { grpcTransport } from "@latchkey/client/node";
import { Option, type Command } from "commander";
import { askLine, canAsk, confirm } from "../ask.ts";
import type { CommandContext, Execute } from "../context.ts";
import { readConfig } from "../data-dir.ts";
import { plural } from "../describe.ts";
import { cliError } from "../errors.ts";
import { readKey } from "../key-file.ts";
import type { CommandResult } from "../output.ts";
import { signerOf, withClient } from "../own-client.ts";
import { addresses } from "../settings.ts";
import type { Style } from "../style.ts";
import { quoted, shortId } from "../text.ts";

interface RevokeDeviceOptions {
  readonly allOthers?: true;
  readonly keyFile?: string;
  readonly words?: true;
  readonly keep?: readonly string[];
  readonly yes?: true;
}

/** `latchkey device revoke`: takes devices out of one's own inbox, also from a place that has none. */
export function addDeviceRevoke(device: Command, execute: Execute): void {
  device
    .command("revoke")
    .description("revoke devices of your inbox: they leave all groups and read nothing new")
    .argument("[device...]", 'beginnings of ids that "latchkey device list" shows')
    .addOption(new Option("--all-others", "all devices but this one"))
    .option("--keep <device...>", "devices that stay although they came in by a revoked one")
    .option("--key-file <file>", "key of the recovery address, where it is not that of this directory")
    .addOption(new Option("--words", "read recovery words from standard input").conflicts("keyFile"))
    .option("--yes", "do not ask")
    .action((devices: string[], options: RevokeDeviceOptions) =>
      execute((context) => revoke(context, devices, options)),
    );
}

/** The client on this machine, or the key alone. */
interface Inbox {
  readonly ids: readonly string[];
  preview(ids: readonly string[], keep: readonly string[]): Promise<readonly RevokedMember[]>;
  revoke(ids: readonly string[], keep: readonly string[]): Promise<readonly RevokedMember[]>;
  /** Takes the revoked devices out of the groups; returns the number of groups. */
  readonly follow: (() => Promise<number>) | undefined;
}

async function revoke(
  context: CommandContext,
  devices: readonly string[],
  options: RevokeDeviceOptions,
): Promise<CommandResult> {
  if (devices.length > 0 === (options.allOthers === true)) {
    throw cliError("USAGE", 'name devices of "latchkey device list", or say --all-others');
  }
  const { settings } = context;
  const config = await readConfig(settings.dataDir);
  if (config !== undefined) return withOwnClient(context, devices, options);
  if (options.allOthers === true) {
    throw cliError("USAGE", "no device of yours lives here that could stay; name the ones to revoke");
  }
  return withKeyAlone(context, devices, options);
}

function withOwnClient(
  context: CommandContext,
  devices: readonly string[],
  { allOthers, keyFile, words, ...options }: RevokeDeviceOptions,
): Promise<CommandResult> {
  const { signal } = context;
  return withClient(context, async (client) => {
    const signer = words === true ? await signerByWords(context) : keyFile && signerOf(await readKey(keyFile));
    const all = (await client.installations({ signal })).map(({ id }) => id);
    const optionsOf = (keep: readonly string[]): RevokeOptions => ({ keep, signal, ...(signer && { signer }) });
    const inbox: Inbox = {
      ids: all,
      preview: (ids, keep) => client.previewRevocation(ids, { keep, signal }),
      revoke: (ids, keep) => client.revokeInstallations(ids, optionsOf(keep)),
      async follow() {
        await client.conversations.sync({ signal });
        return client.conversations.list().filter(({ isActive }) => isActive).length;
      },
    };
    const others = all.filter((id) => id !== client.installationId);
    return run(context, inbox, allOthers === true ? others : devices, options);
  });
}

/** For a directory without an installation, such as one that the inbox has no room for. */
async function withKeyAlone(
  context: CommandContext,
  devices: readonly string[],
  { keyFile, words, ...options }: RevokeDeviceOptions,
): Promise<CommandResult> {
  const { settings, signal } = context;
  const signer =
    words === true ? await signerByWords(context) : signerOf(await readKey(keyFile ?? settings.dataDir.keyFile));
  const transport = grpcTransport(addresses(settings, undefined).nodeUrl);
  const parts = { transport, clock: systemClock };
  try {
    const { installations } = await Client.inboxState(signer.identifier, parts, { signal });
    const inbox: Inbox = {
      ids: installations.map(({ id }) => id),
      preview: (ids, keep) => Client.previewRevocation(signer.identifier, ids, parts, { keep, signal }),
      revoke: (ids, keep) => Client.revokeInstallations(signer, ids, parts, { keep, signal }),
      follow: undefined,
    };
    return await run(context, inbox, devices, options);
  } finally {
    transport.close();
  }
}

async function signerByWords(context: CommandContext): Promise<ReturnType<typeof recoverySigner>> {
  return recoverySigner(await askLine(context, "Recovery words:"));
}

async function run(
  context: CommandContext,
  inbox: Inbox,
  devices: readonly string[],
  { keep = [], yes }: Pick<RevokeDeviceOptions, "keep" | "yes">,
): Promise<CommandResult> {
  const { out } = context;
  const ids = devices.map((wanted) => findDevice(inbox.ids, wanted));
  const kept = keep.map((wanted) => findDevice(inbox.ids, wanted));
  const planned = await inbox.preview(ids, kept);
  if (planned.length > 0 && yes !== true && canAsk(context)) {
    for (const member of planned) out.line(memberLine(member, out.style));
    if (!(await confirm(context, `Revoke ${plural(planned.length, "entry", "entries")} for good?`))) {
      return { json: { revoked: [] }, human: () => "nothing was revoked" };
    }
  }
  out.progress(`revoking ${plural(planned.length, "entry", "entries")}`);
  const revoked = await inbox.revoke(ids, kept);
  const groups = revoked.length === 0 ? 0 : await inbox.follow?.();
  return {
    json: { revoked: revoked.map((member) => ({ ...member, by: member.by ?? null })), groups: groups ?? null },
    human: (style) =>
      [...revoked.map((member) => memberLine(member, style)), `${style.good("✓")} revoked; ${afterwards(groups)}`].join(
        "\n",
      ),
  };
}

function afterwards(groups: number | undefined): string {
  if (groups === undefined) return "the groups lose them when a member synchronizes or sends";
  return groups === 0 ? "no group was left to leave" : `${plural(groups, "group")} of this device looked after`;
}

function findDevice(ids: readonly string[], wanted: string): string {
  const [found, ...others] = wanted === "" ? [] : ids.filter((id) => id.startsWith(wanted.toLowerCase()));
  if (found !== undefined && others.length === 0) return found;
  const problem = found === undefined ? "no device has an id that begins" : "several devices have ids that begin";
  throw cliError("USAGE", `${problem} with ${quoted(wanted)}; see "latchkey device list"`);
}

function memberLine({ kind, id, because, by }: RevokedMember, style: Style): string {
  const name = kind === "installation" ? `device ${shortId(id)}` : `address ${id}`;
  const short = shortId(by ?? "");
  const why = { asked: "", added: `  added by ${short}`, held: `  only ${short} has it` }[because];
  return `${style.bad("-")} ${name}${style.dim(why)}`;
}
