import {
  optional,
  requireFields,
  requireOneOf,
  requireText,
  requireWholeNumber,
  toHex,
  type LatchkeyError,
} from "@latchkey/mls";
import {
  effectiveExpiryNs,
  encodeInvitePayload,
  toBase64Url,
  type ExternalCommitPolicyV1,
  type InvitePayload,
} from "@latchkey/xmtp";
import { requireInvite } from "./require-invite.ts";
import { clientError } from "../errors.ts";
import { walledNow } from "../public-calls.ts";
import { linkBaseOf, SCHEME_ONLY, type LinkBases } from "./link-base.ts";
import { linkChecksum } from "./links/checksum.ts";
import type { ChecksumState } from "./links/surroundings.ts";
import type { FoundInvite } from "./links/one-invite.ts";
import { findInvite } from "./read-invite.ts";
import { posterPdf, posterSvg, type PosterOptions } from "./poster.ts";
import { inviteBitmap, qrSvg, qrTerminal, type QrFormat } from "./qr.ts";
import type { QrBitmap } from "../qr-bitmap.ts";
import { serviceUrlOf } from "./service.ts";
import type { SlotService } from "../transport/slot-service.ts";

/** An invite to hand out. Whoever holds it can join: treat `url`, `payload` and the image as secrets. */
export interface Invite {
  /** The link; the secret stands behind `#`, which browsers send to no server. */
  readonly url: string;
  /** Serialized ExternalInvitePayload (XIP-82). */
  readonly payload: Uint8Array;
  /** Slot id in hex. */
  readonly externalGroupId: string;
  readonly serviceUrl: string | undefined;
  /**
   * Host whose page opens the link: whoever runs it can read the invite when it is opened there. Undefined for `latchkey:`
   * links, which programs open and cameras do not.
   */
  readonly opensAt: string | undefined;
  /** End by the policy and the epoch it was made in; undefined for none. */
  readonly expiresAtNs: bigint | undefined;
  /**
   * Until when its service serves the blob that this client uploaded last, in nanoseconds since 1970; undefined when the
   * service does not say, or nothing was uploaded. Each upload prolongs it.
   */
  readonly servedUntilNs?: bigint | undefined;
  /**
   * Why a service does not have its blob, or not the present one, as far as this client knows: nobody can join there
   * until it has. Tried again with each sync; after INVITE_SLOT_CLOSED only a fresh slot helps.
   */
  readonly uploadFailure?: LatchkeyError | undefined;
  /** Inboxes of members whose programs cannot follow joins by invite: they stay behind at the next join. */
  readonly behind: readonly string[];
  /**
   * The invite as a QR code: a PNG file of `scale` pixels a module (8), an SVG document, or text for a terminal. It holds
   * the same payload in another form, so that it is smaller than a code of the link would be.
   */
  toQR(format: "png", scale?: number): Uint8Array;
  toQR(format: "svg" | "terminal"): string;
  /** A page of A4 to hang up: the code, what it is, its end, where it opens, and the group's name if it is given. */
  toPoster(format: "svg", options?: PosterOptions): string;
  toPoster(format: "pdf", options?: PosterOptions): Uint8Array;
}

/** Pixels a module at most: a code of 177 modules has 12 000 a side then. */
const MAX_SCALE = 64;

const requirePosterOptions = requireFields<PosterOptions>({ name: optional(requireText) });

/** What `newInvite` needs of its surroundings. */
export interface InviteContext {
  readonly inviteBaseUrl?: string | undefined;
  readonly linkBases: LinkBases;
  readonly slots: SlotService;
  readonly encodePng: (bitmap: QrBitmap, scale?: number) => Uint8Array;
}

/** The address of a page without a fragment; throws INVITE_MALFORMED for anything else. */
function checkedLinkBase(base: string): string {
  const url = URL.parse(base);
  if (url !== null && url.hash === "") return url.href;
  throw clientError("INVITE_MALFORMED", "`inviteBaseUrl` has to be the address of a page, without a fragment");
}

/** The invite of an active policy. */
export function newInvite(
  context: InviteContext,
  payload: InvitePayload,
  policy: ExternalCommitPolicyV1,
  epochStartNs: bigint,
): Invite {
  const bytes = encodeInvitePayload(payload);
  const serviceUrl = serviceUrlOf(payload.servicePointer);
  const base = linkBaseOf(context, serviceUrl);
  // The payload is a fragment there as well, so that programs find it in one place.
  const start = `${checkedLinkBase(base)}#`;
  const url = `${start}${toBase64Url(bytes)}.${linkChecksum(bytes)}`;
  const expiresAtNs = effectiveExpiryNs(policy, epochStartNs);
  function toQR(format: "png", scale?: number): Uint8Array;
  function toQR(format: "svg" | "terminal"): string;
  function toQR(format: QrFormat, scale?: number): Uint8Array | string {
    return walledNow(() => {
      const kind = requireOneOf(["png", "svg", "terminal"])(format, "format");
      const pixels = optional(requireWholeNumber(1, MAX_SCALE))(scale, "scale");
      const bitmap = inviteBitmap(payload, start);
      if (kind === "png") return context.encodePng(bitmap, pixels);
      return kind === "svg" ? qrSvg(bitmap) : qrTerminal(bitmap);
    });
  }
  const opensAt = base === SCHEME_ONLY ? undefined : URL.parse(base)?.host;
  const ends = expiresAtNs === 0n ? undefined : expiresAtNs;
  function toPoster(format: "svg", options?: PosterOptions): string;
  function toPoster(format: "pdf", options?: PosterOptions): Uint8Array;
  function toPoster(format: "svg" | "pdf", options: PosterOptions = {}): string | Uint8Array {
    return walledNow(() => {
      const kind = requireOneOf(["svg", "pdf"])(format, "format");
      const facts = { ...requirePosterOptions(options, "options"), expiresAtNs: ends, opensAt };
      const bitmap = inviteBitmap(payload, start);
      return kind === "svg" ? posterSvg(bitmap, facts) : posterPdf(bitmap, facts);
    });
  }
  return {
    url,
    payload: bytes,
    externalGroupId: toHex(payload.externalGroupId),
    serviceUrl,
    opensAt,
    expiresAtNs: ends,
    behind: [],
    toQR,
    toPoster,
  };
}

/** What can be said of an invite without its key and without network. */
export interface InviteSummary {
  readonly version: 1;
  /** Address of the invite service; undefined when the invite names none that this client understands. */
  readonly serviceUrl: string | undefined;
  /** Slot id in hex: not secret, the service knows it. */
  readonly externalGroupId: string;
  /** True when a key of the right size is there; the key itself is never shown. */
  readonly hasKey: true;
  /** Whether a server saw the invite, because `#` was encoded or the link was wrapped into another: an admin should rotate it. */
  readonly exposed: boolean;
  /** `wrong` where a character was mistyped, or where a sentence goes on behind the link. */
  readonly checksum: ChecksumState;
}

/** Describes an invite offline, without showing its key; throws INVITE_MALFORMED. */
export function inspectInvite(invite: string | Uint8Array): InviteSummary {
  return walledNow(() => summaryOf(findInvite(requireInvite(invite, "invite"))));
}

function summaryOf({ payload, exposed, checksum }: FoundInvite): InviteSummary {
  const { servicePointer, externalGroupId } = payload;
  return {
    version: 1,
    serviceUrl: serviceUrlOf(servicePointer),
    externalGroupId: toHex(externalGroupId),
    hasKey: true,
    exposed,
    checksum,
  };
}
