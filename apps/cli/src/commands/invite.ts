import type { Group, Invite } from "@latchkey/client";
import { join } from "node:path";
import { InvalidArgumentError, type Command } from "commander";
import type { AddCommands, CommandContext } from "../context.ts";
import { isInSharedFolder, writePrivateFile } from "../data-dir.ts";
import { groupName } from "../describe.ts";
import { cliError } from "../errors.ts";
import type { CommandResult } from "../output.ts";
import { withGroup } from "../own-client.ts";
import { fits, isReversible, terminalQr } from "../terminal-qr.ts";
import { formatTime, parseDurationNs } from "../text.ts";

interface ImageOptions {
  readonly qrPng?: string;
  readonly qrSvg?: string;
  readonly qrScale?: number;
  readonly poster?: string;
  readonly posterName?: true;
}

interface CreateOptions extends ImageOptions {
  readonly expiresIn?: bigint;
  readonly staleAfter?: bigint;
  readonly maxUses?: number;
  readonly force?: true;
}

type ChangeOptions = ImageOptions & Pick<CreateOptions, "expiresIn" | "staleAfter" | "maxUses">;

/** How long an invite lasts unless told otherwise: seven days, in nanoseconds. */
const DEFAULT_EXPIRES_IN_NS = 7n * 86_400_000_000_000n;
const MAX_USES = 0xffff_ffff;

/** Said where a light terminal would show the code light on dark. */
const REVERSED =
  "A light terminal without colours shows the code reversed; if it is not read, --qr-png writes a picture.";

/** `latchkey invite …`: the link, and the QR code that shows it. */
export const addInviteCommands: AddCommands = (program, execute) => {
  const invite = program.command("invite").description("let people into a group by link and QR code");
  withImages(command(invite, "create", "make an invite; an earlier one stops working"))
    .option("--expires-in <duration>", "how long it lasts, as in 30m, 12h, 7d, 2w (default: 7d)", parseDuration)
    .option("--stale-after <duration>", "refuse joins when the group did not change for so long", parseDuration)
    .option("--max-uses <number>", "members that may be in the group by this invite at a time", parseUses)
    .option("--force", "also when a member's program cannot follow joins by invite and is left behind")
    .action((wanted: string, options: CreateOptions) => execute((context) => create(context, wanted, options)));
  withImages(command(invite, "show", "show the invite in force")).action((wanted: string, images: ImageOptions) =>
    execute((context) => show(context, wanted, images)),
  );
  withImages(command(invite, "rotate", "replace the key: links given out before stop working"))
    .option("--slot", "replace the slot as well, which starts the count of uses anew")
    .action((wanted: string, options: ImageOptions & { slot?: true }) =>
      execute((context) => rotate(context, wanted, options, options.slot === true)),
    );
  withImages(command(invite, "change", "change the limits: links given out go on working under the new ones"))
    .option("--expires-in <duration>", "how long it lasts from now on, or never", parseDurationOrNever)
    .option("--stale-after <duration>", "see create, or never", parseDurationOrNever)
    .option("--max-uses <number>", "see create, or any", parseUsesOrAny)
    .action((wanted: string, options: ChangeOptions) => execute((context) => change(context, wanted, options)));
  command(invite, "refresh", "put the group as it is now into the invite's slot, where it is missing")
    .option("--deep", "download and verify what is there: for when somebody says that the invite does not work")
    .action((wanted: string, { deep }: { deep?: true }) =>
      execute((context) => refresh(context, wanted, deep === true)),
    );
  command(invite, "revoke", "end joining by invite").action((wanted: string) =>
    execute((context) => revoke(context, wanted)),
  );
};

function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .argument("<group>", "name of the group, or the beginning of its id");
}

function withImages(to: Command): Command {
  return to
    .option("--qr-png <file>", "write the QR code as a PNG image")
    .option("--qr-svg <file>", "write the QR code as an SVG image")
    .option("--poster <file>", "write a page to hang up, as .svg or .pdf", parsePoster)
    .option("--poster-name", "with the group's name on the poster")
    .option("--qr-scale <pixels>", "pixels of a module in the PNG image, 1 to 64 (default: 8)", parseScale);
}

function create(context: CommandContext, wanted: string, options: CreateOptions): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    context.out.progress("committing the invite and uploading its first blob");
    const { expiresIn = DEFAULT_EXPIRES_IN_NS, staleAfter, maxUses } = options;
    const invite = await group.invites.create({
      expiresAtNs: BigInt(Date.now()) * 1_000_000n + expiresIn,
      ...(staleAfter === undefined ? {} : { staleAfterNs: staleAfter }),
      ...(maxUses === undefined ? {} : { maxUses }),
      force: options.force === true,
      signal: context.signal,
    });
    return present(context, group, invite, options);
  });
}

function show(context: CommandContext, wanted: string, images: ImageOptions): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    const invite = await group.invites.load({ signal: context.signal });
    if (invite === undefined)
      throw cliError("INVITE_NONE", 'the group has no invite; "latchkey invite create" makes one');
    return present(context, group, invite, images);
  });
}

function rotate(context: CommandContext, wanted: string, images: ImageOptions, slot: boolean): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    context.out.progress("replacing the invite");
    return present(context, group, await group.invites.rotate({ slot, signal: context.signal }), images);
  });
}

function change(context: CommandContext, wanted: string, options: ChangeOptions): Promise<CommandResult> {
  const { expiresIn, staleAfter, maxUses } = options;
  if (expiresIn === undefined && staleAfter === undefined && maxUses === undefined) {
    throw cliError("USAGE", "say what to change: --expires-in, --stale-after, --max-uses");
  }
  return withGroup(context, wanted, async (group) => {
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const invite = await group.invites.change({
      ...(expiresIn === undefined ? {} : { expiresAtNs: expiresIn === 0n ? 0n : nowNs + expiresIn }),
      ...(staleAfter === undefined ? {} : { staleAfterNs: staleAfter }),
      ...(maxUses === undefined ? {} : { maxUses }),
      signal: context.signal,
    });
    return present(context, group, invite, options);
  });
}

function refresh(context: CommandContext, wanted: string, deep: boolean): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    await group.invites.refresh({ deep, signal: context.signal });
    return {
      json: { refreshed: true },
      human: (style) => `${style.good("✓")} The invite of ${style.bold(groupName(group))} leads to the present group.`,
    };
  });
}

function revoke(context: CommandContext, wanted: string): Promise<CommandResult> {
  return withGroup(context, wanted, async (group) => {
    await group.invites.revoke({ signal: context.signal });
    return {
      json: { revoked: true },
      human: (style) => `${style.good("✓")} No link lets anybody into ${style.bold(groupName(group))} any more.`,
    };
  });
}

/** Who can read the invite besides those who get it. */
function whoReads(opensAt: string | null): string {
  return opensAt === null
    ? "No camera opens this link: the invite service states no page. Scan or paste it in a Latchkey program."
    : `Whoever runs ${opensAt} can read this invite when it is opened there.`;
}

/** Writes an image of the invite, and says where others could replace it by one of their own. */
async function writeImage({ out }: CommandContext, file: string, content: string | Uint8Array): Promise<void> {
  await writePrivateFile(file, content);
  if (await isInSharedFolder(file)) out.warn(`other users may replace ${file}: its folder is open to them`);
}

async function present(
  context: CommandContext,
  group: Group,
  invite: Invite,
  images: ImageOptions,
): Promise<CommandResult> {
  const { qrSvg, qrScale, poster } = images;
  let { qrPng } = images;
  if (qrPng !== undefined) await writeImage(context, qrPng, invite.toQR("png", qrScale));
  if (qrSvg !== undefined) await writeImage(context, qrSvg, invite.toQR("svg"));
  if (poster !== undefined) {
    const options = images.posterName === true ? { name: group.name } : {};
    const isPdf = /\.pdf$/i.test(poster);
    await writeImage(context, poster, isPdf ? invite.toPoster("pdf", options) : invite.toPoster("svg", options));
  }
  const { url, externalGroupId, serviceUrl = null, opensAt = null, expiresAtNs = null, uploadFailure } = invite;
  const { background } = context.out;
  const drawn = terminalQr(invite, context.out.style, background);
  const tooSmall = !fits(drawn, context.out.size);
  if (tooSmall && qrPng === undefined && !context.out.json) {
    qrPng = join(context.settings.dataDir.path, `invite-${group.id.slice(0, 8)}.png`);
    await writeImage(context, qrPng, invite.toQR("png"));
  }
  const files = [qrPng, qrSvg, poster].filter((file) => file !== undefined);
  return {
    json: {
      invite: {
        url,
        externalGroupId,
        serviceUrl,
        opensAt,
        expiresAtNs,
        qrPng: qrPng ?? null,
        qrSvg: qrSvg ?? null,
        uploadFailure: uploadFailure?.code ?? null,
      },
    },
    human: (style) =>
      [
        tooSmall ? style.bold("This terminal is too small for the code; it was written to a file.") : drawn,
        ...(!tooSmall && qrPng === undefined && isReversible(style, background) ? [style.dim(REVERSED)] : []),
        `Scan this to join ${style.bold(groupName(group))}, or open the link:`,
        url,
        "",
        style.dim(whoReads(opensAt)),
        style.dim(expiresAtNs === null ? "Lasts until it is revoked." : `Lasts until ${formatTime(expiresAtNs)}.`),
        style.dim("Whoever has the code or the link can join: hand it on with care."),
        ...files.map((file) => style.dim(`Written to ${file}`)),
        ...(uploadFailure === undefined ? [] : [style.bad(`Nobody can join by it yet: ${uploadFailure.message}`)]),
      ].join("\n"),
  };
}

function parsePoster(text: string): string {
  if (/\.(?:svg|pdf)$/i.test(text)) return text;
  throw new InvalidArgumentError("Expected a file name that ends in .svg or .pdf.");
}

function parseScale(text: string): number {
  const scale = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (scale < 1 || scale > 64) throw new InvalidArgumentError("Expected a number between 1 and 64.");
  return scale;
}

function parseDuration(text: string): bigint {
  const ns = parseDurationNs(text);
  if (ns === undefined) throw new InvalidArgumentError("Expected a duration such as 30m, 12h, 7d or 2w.");
  return ns;
}

function parseDurationOrNever(text: string): bigint {
  return text === "never" ? 0n : parseDuration(text);
}

function parseUsesOrAny(text: string): number {
  return text === "any" ? 0 : parseUses(text);
}

function parseUses(text: string): number {
  const uses = /^\d{1,10}$/.test(text) ? Number(text) : 0;
  if (uses < 1 || uses > MAX_USES) throw new InvalidArgumentError(`Expected a number between 1 and ${MAX_USES}.`);
  return uses;
}
