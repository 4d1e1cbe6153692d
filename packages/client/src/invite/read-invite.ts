import { LatchkeyError } from "@latchkey/mls";
import { decodeInvitePayload, type InvitePayload } from "@latchkey/xmtp";
import { untilAborted } from "../callbacks.ts";
import { clientError } from "../errors.ts";
import { imageKind } from "./image.ts";
import { malformedInvite } from "./links/malformed.ts";
import { oneInvite, type FoundInvite } from "./links/one-invite.ts";
import { readLink } from "./links/read-link.ts";

/** Finds the texts of the QR codes in an image file. */
type QrReader = (image: Uint8Array, signal?: AbortSignal) => Promise<readonly string[]>;

/**
 * Finds the invite in what a person pasted: a link to any page with the payload behind `#`, `latchkey:` and the payload,
 * the payload alone, a text with one of these in it, or the payload's bytes. Throws INVITE_MALFORMED.
 */
export function findInvite(invite: string | Uint8Array): FoundInvite {
  if (typeof invite === "string") return readLink(invite);
  const kind = imageKind(invite);
  if (kind !== undefined) {
    throw malformedInvite("Image", `a file of kind ${kind.toUpperCase()} is not an invite; read its QR code first`);
  }
  return { payload: decodeInvitePayload(invite), exposed: false, checksum: "absent" };
}

/** The payload of `findInvite`. */
export function readInvite(invite: string | Uint8Array): InvitePayload {
  return findInvite(invite).payload;
}

/**
 * Finds the invite among the texts of several QR codes: the one that is an invite counts. Throws INVITE_MALFORMED for two
 * different ones, and with the reason of the first text where none is an invite.
 */
export function findInviteAmong(texts: readonly string[]): FoundInvite {
  const found: FoundInvite[] = [];
  let reason: LatchkeyError | undefined;
  for (const text of texts) {
    try {
      found.push(readLink(text));
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      reason ??= error;
    }
  }
  const [first, ...others] = found;
  if (first !== undefined) return oneInvite([first, ...others], "picture");
  throw reason ?? clientError("INVITE_NO_QR", "the picture shows no QR code; take it again with the whole code");
}

/** As `findInvite`, also for an image of the QR code. Throws INVITE_MALFORMED, INVITE_NO_QR, and the signal's reason. */
export async function findInviteOrImage(
  invite: string | Uint8Array,
  readQr: QrReader | undefined,
  signal?: AbortSignal,
): Promise<FoundInvite> {
  if (typeof invite === "string" || readQr === undefined || imageKind(invite) === undefined) return findInvite(invite);
  return findInviteAmong(await untilAborted(() => readQr(invite, signal), signal));
}
