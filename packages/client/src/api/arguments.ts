import {
  argumentInvalid,
  check,
  optional,
  requireBigint,
  requireBytes,
  requireEither,
  requireFields,
  requireFlag,
  requireFunction,
  requireList,
  requireMethods,
  requireOneOf,
  requireSignal,
  requireText,
  requireWholeNumber,
} from "@latchkey/mls";
import {
  isHttpsUrl,
  isInboxId,
  parseContentType,
  PERMISSION_POLICIES,
  REGULATED_ACTIONS,
  XMTP_LIMITS,
  type ContentCodec,
  type DisappearingSettings,
  type ServicePointer,
  type WalletSigner,
} from "@latchkey/xmtp";
import type { GroupOptions } from "./group-options.ts";
import type { Role } from "../group/absent-roles.ts";
import type { AddOptions } from "../group/add-members.ts";
import type {
  ExternalInviteOptions,
  InviteChanges,
  InviteOptions,
  RefreshOptions,
  RotateOptions,
} from "../invite/issue.ts";
import type { KeepFreshOptions } from "../upkeep/keep-invites-fresh.ts";
import type { RemoveOptions } from "../group/remove-members.ts";
import type { SendOptions } from "../group/send.ts";
import { checkedServiceUrl } from "../invite/slots.ts";
import type { RevocationEnvironment, RevokeOptions, SignedCallOptions } from "../identity/account-changes.ts";
import { requireParts } from "../identity/require-environment.ts";
import { requireInvite } from "../invite/require-invite.ts";
import type { JoinOptions } from "../join/options.ts";
import type { LinkDeviceOptions, LinkNewDeviceOptions } from "../link/options.ts";
import { CLIENT_LIMITS } from "../limits.ts";

/*
 * What the arguments of public calls have to be, one check for each. The public classes apply them before anything is
 * sent or written; behind them an argument is what its type says.
 */

const { maxInt64, maxServiceUrlBytes } = XMTP_LIMITS;
const { maxArguments, maxTimerMs, maxInviteUses } = CLIENT_LIMITS;

/** 64 lower-case hex digits. */
export const requireInboxId = check("an inbox id of 64 lower-case hex digits", (value) =>
  typeof value === "string" && isInboxId(value) ? value : undefined,
);

/** Ids of inboxes. */
export const requireInboxIds = requireList(requireInboxId, maxArguments);

/** Any text, such as people paste it. */
const requireString = check("a text", (value) => (typeof value === "string" ? value : undefined));

/** A name of something here, which is looked for: a text that names nothing finds nothing. */
export const requireId = requireString;

/** A payload of an invite. */
export const requirePayload = requireBytes();

/** Blobs of an invite, one or several, newest last: no more than the newest are looked at, however many there are. */
export const requireBlobs = check("a Uint8Array or an array of them", (value, name) => {
  const newest: unknown[] = Array.isArray(value) ? value.slice(-XMTP_LIMITS.maxCandidates) : [value];
  return requireList(requireBytes(), XMTP_LIMITS.maxCandidates)(newest, name);
});

/** The text of a message or of a group; lone surrogates are refused, because no two readers would see the same. */
export { requireText };

/** A time, a span, or a position of a log: nanoseconds or ids below 2^63. */
const requirePosition = requireBigint(0n, maxInt64);
const requireNs = requireBigint(1n, maxInt64, "nanoseconds, a bigint");
const requireNsOrNone = requireBigint(0n, maxInt64, "nanoseconds, a bigint");

/** Throws ARGUMENT_INVALID for a time that is over; `nowNs` is the node's time. */
export function requireFuture(timeNs: bigint | undefined, name: string, nowNs: bigint): void {
  if (timeNs !== undefined && timeNs <= nowNs)
    throw argumentInvalid(name, "a time in the future, in nanoseconds since 1970");
}

export const requireRole = requireOneOf<Role>(["admin", "super_admin"]);
export const requireAction = requireOneOf(REGULATED_ACTIONS);
export const requirePolicy = requireOneOf(PERMISSION_POLICIES);

const signal = optional(requireSignal);
const flag = optional(requireFlag);

/** From where on messages or joins are listed. */
export const requireListOptions = requireFields<{ readonly after?: bigint }>({ after: optional(requirePosition) });

const requireAddress = check("an https address, or http on this machine", (value) =>
  typeof value === "string" && value.length <= maxServiceUrlBytes && checkedServiceUrl(value) !== undefined
    ? value
    : undefined,
);

const requireHttpsUrl = check("an https address", (value) =>
  typeof value === "string" && isHttpsUrl(value) ? value : undefined,
);

const requireOpaque = check(`a Uint8Array of 1 to ${maxServiceUrlBytes} bytes`, (value) => {
  const bytes = requireBytes()(value, "bytes");
  return bytes.length > 0 && bytes.length <= maxServiceUrlBytes ? bytes : undefined;
});

const requirePointer = requireEither<ServicePointer, ServicePointer>(
  "a service pointer of the kind `https_url` or `opaque`",
  requireFields({ kind: requireOneOf(["https_url"]), url: requireHttpsUrl }),
  requireFields({ kind: requireOneOf(["opaque"]), bytes: requireOpaque }),
);

/** An invite service by its address or its pointer. */
const requireService = requireEither(
  "the address of an invite service (https, or http on this machine), or its pointer",
  requireAddress,
  requirePointer,
);
const refreshPointers = optional(requireList(requireService, XMTP_LIMITS.maxRefreshPointers));

export const requireInviteOptions = requireFields<InviteOptions>({
  expiresAtNs: optional(requireNs),
  staleAfterNs: optional(requireNs),
  maxUses: optional(requireWholeNumber(1, maxInviteUses)),
  refreshPointers,
  service: optional(requireService),
  force: flag,
  signal,
});

/** As of `createInvite`, where 0 takes a limit away. */
export const requireInviteChanges = requireFields<InviteChanges>({
  expiresAtNs: optional(requireNsOrNone),
  staleAfterNs: optional(requireNsOrNone),
  maxUses: optional(requireWholeNumber(0, maxInviteUses)),
  refreshPointers,
  signal,
});

export const requireRotateOptions = requireFields<RotateOptions>({ slot: flag, signal });
export const requireRefreshOptions = requireFields<RefreshOptions>({ deep: flag, signal });

export const requireExternalInviteOptions = requireFields<ExternalInviteOptions>({
  servicePointer: optional(requirePointer),
  blobExpiresAtNs: optional(requireNs),
  signal,
});

const requireContentType = check("a content type of the form authority/type:major.minor", (value) => {
  if (typeof value !== "string") return undefined;
  try {
    parseContentType(value);
    return value;
  } catch {
    return undefined;
  }
});

/** A codec of a content type. */
export function requireCodec<T>(value: ContentCodec<T>, name: string): ContentCodec<T> {
  const codec = requireMethods<ContentCodec<T>>("encode", "decode", "fallback", "shouldPush")(value, name);
  requireContentType(codec.type, `${name}.type`);
  return codec;
}

/** The bounds of a key are those of `sendContent`. */
export const requireSendOptions = requireFields<SendOptions>({ idempotencyKey: optional(requireText), signal });

export const requireAddOptions = requireFields<AddOptions>({ allOrNothing: flag, force: flag, signal });

export const requireRemoveOptions = requireFields<RemoveOptions>({
  rotateInvite: optional(requireOneOf(["key", "slot", false])),
  signal,
});

export const requireGroupOptions = requireFields<GroupOptions>({
  name: optional(requireText),
  description: optional(requireText),
  imageUrl: optional(requireText),
  permissions: optional(requireOneOf(["all_members", "admin_only"])),
  allOrNothing: flag,
  signal,
});

/** From when on, and how long after they were sent, messages disappear. */
export const requireDisappearing = optional(
  requireFields<DisappearingSettings>({
    fromNs: requireNs,
    inNs: requireBigint(1n, CLIENT_LIMITS.maxDisappearNs, "nanoseconds, a bigint"),
  }),
);

export const requireJoinOptions = requireFields<JoinOptions>({
  timeoutMs: optional(requireWholeNumber(1, maxTimerMs)),
  onProgress: optional(requireFunction<NonNullable<JoinOptions["onProgress"]>>()),
  allOrNothing: flag,
  signal,
});

export const requireKeepFreshOptions = requireFields<KeepFreshOptions>({
  signal: requireSignal,
  intervalMs: optional(requireWholeNumber(1, maxTimerMs / 2)),
  deepEvery: optional(requireWholeNumber(1, Number.MAX_SAFE_INTEGER)),
  onError: optional(requireFunction<NonNullable<KeepFreshOptions["onError"]>>()),
});

/** A wallet: an address of Ethereum, and a way to sign texts. */
export const requireSigner = check("a signer with an address as `identifier` and `signMessage`", (value, name) => {
  const signer = requireMethods<WalletSigner>("signMessage")(value, name);
  const identifier: unknown = signer.identifier;
  return typeof identifier === "string" && /^0x[0-9a-f]{40}$/i.test(identifier) ? signer : undefined;
});

export const requireMaybeSigner = optional(requireSigner);

/** An address of Ethereum, in lower case. */
export const requireEthereumAddress = check("an address of Ethereum: 0x and 40 hex digits", (value) =>
  typeof value === "string" && /^0x[0-9a-f]{40}$/i.test(value) ? value.toLowerCase() : undefined,
);

const linkOptions = {
  code: optional(requireInvite),
  onProgress: optional(requireFunction<NonNullable<LinkNewDeviceOptions["onProgress"]>>()),
  signal,
};

export const requireLinkNewDeviceOptions = requireFields<LinkNewDeviceOptions>({
  ...linkOptions,
  confirmInbox: optional(requireFunction<NonNullable<LinkNewDeviceOptions["confirmInbox"]>>()),
});

export const requireLinkDeviceOptions = requireFields<LinkDeviceOptions>({
  ...linkOptions,
  readDigits: requireFunction<LinkDeviceOptions["readDigits"]>(),
  history: optional(requireWholeNumber(0, CLIENT_LIMITS.maxHistoryMessages)),
  signer: requireMaybeSigner,
});

const requireInstallationId = check("an installation id of 64 lower-case hex digits", (value) =>
  typeof value === "string" && isInboxId(value) ? value : undefined,
);

/** Ids of installations. */
export const requireInstallationIds = requireList(requireInstallationId, maxArguments);

export const requireSignedCallOptions = requireFields<SignedCallOptions>({ signer: requireMaybeSigner, signal });

export const requireRevokeOptions = requireFields<RevokeOptions>({
  signer: requireMaybeSigner,
  keep: optional(requireInstallationIds),
  signal,
});

/** Parts of an environment, and an inbox. */
export const requireRevocationEnvironment = check("an environment with transport and clock", (value, name) => {
  const parts = requireParts<RevocationEnvironment>("transport", "clock")(value, name);
  const { transport, clock, inboxId } = parts;
  if (inboxId === undefined) return { transport, clock };
  return { transport, clock, inboxId: requireInboxId(inboxId, `${name}.inboxId`) };
});
