import { toHex, type LatchkeyError } from "@latchkey/mls";
import {
  effectiveExpiryNs,
  encodeInvitePayload,
  inviteUrl,
  type ExternalCommitPolicyV1,
  type InvitePayload,
} from "@latchkey/xmtp";
import { linkChecksum } from "./links/checksum.ts";
import type { ChecksumState } from "./links/surroundings.ts";
import { findInvite } from "./read-invite.ts";
import { qrBitmap, qrSvg, qrTerminal, type QrBitmap, type QrFormat } from "./qr.ts";
import { serviceUrlOf } from "./service.ts";

/** An invite to hand out. Whoever holds it can join: treat `url`, `payload` and the image as secrets. */
export interface Invite {
  /** The link; the secret stands behind `#`, which browsers send to no server. */
  readonly url: string;
  /** Serialized ExternalInvitePayload (XIP-82). */
  readonly payload: Uint8Array;
  /** Slot id in hex. */
  readonly externalGroupId: string;
  readonly serviceUrl: string | undefined;
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
  /** The link as a QR code: a PNG file, an SVG document, or text for a terminal. */
  toQR(format: "png"): Uint8Array;
  toQR(format: "svg" | "terminal"): string;
}

/** What `newInvite` needs of its surroundings. */
export interface InviteContext {
  readonly inviteBaseUrl: string;
  readonly encodePng: (bitmap: QrBitmap) => Uint8Array;
}

/** The invite of an active policy. */
export function newInvite(
  context: InviteContext,
  payload: InvitePayload,
  policy: ExternalCommitPolicyV1,
  epochStartNs: bigint,
): Invite {
  const bytes = encodeInvitePayload(payload);
  const link = inviteUrl(payload, context.inviteBaseUrl);
  const url = `${link}.${linkChecksum(bytes)}`;
  const expiresAtNs = effectiveExpiryNs(policy, epochStartNs);
  function toQR(format: "png"): Uint8Array;
  function toQR(format: "svg" | "terminal"): string;
  function toQR(format: QrFormat): Uint8Array | string {
    const bitmap = qrBitmap(link);
    if (format === "png") return context.encodePng(bitmap);
    return format === "svg" ? qrSvg(bitmap) : qrTerminal(bitmap);
  }
  return {
    url,
    payload: bytes,
    externalGroupId: toHex(payload.externalGroupId),
    serviceUrl: serviceUrlOf(payload.servicePointer),
    expiresAtNs: expiresAtNs === 0n ? undefined : expiresAtNs,
    behind: [],
    toQR,
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
  const { payload, exposed, checksum } = findInvite(invite);
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
