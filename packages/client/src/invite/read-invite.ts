import { LatchkeyError } from "@latchkey/mls";
import { decodeInvitePayload, parseInviteUrl, type InvitePayload } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { imageKind } from "./image.ts";

/** Finds the text of the QR code in an image file. */
type QrReader = (image: Uint8Array) => string;

/** The scheme of links that name no page: `latchkey:` and the payload. */
const SCHEME = /^latchkey:/i;
const LINK_IN_TEXT = /(?:https?:\/\/[^\s#<>"]*#|latchkey:)[\w-]+/gi;
const CUT_LINK = /^[a-z][a-z0-9+.-]*:\/\/[^#]*#?$/i;
const CUT_LINK_IN_TEXT = /https?:\/\/[^\s#<>"]+#?(?=[\s<>"]|$)/i;

function malformed(rule: string, message: string): LatchkeyError {
  return clientError("INVITE_MALFORMED", message, { rule });
}

function cutLink(): LatchkeyError {
  return malformed(
    "MissingFragment",
    "the link was cut at its #: the invite itself stands behind it; copy the whole link, or scan the code",
  );
}

/** One link, and nothing around it. */
function readLink(link: string): InvitePayload {
  if (SCHEME.test(link)) return parseInviteUrl(link.replace(SCHEME, "#"));
  if (CUT_LINK.test(link)) throw cutLink();
  return parseInviteUrl(link);
}

/** The first link in a text that is an invite; else what is wrong with the first that looks like one. */
function findLink(text: string): InvitePayload {
  let reason: LatchkeyError | undefined;
  for (const [link] of text.matchAll(LINK_IN_TEXT)) {
    try {
      return readLink(link);
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      reason ??= error;
    }
  }
  if (reason !== undefined) throw reason;
  if (CUT_LINK_IN_TEXT.test(text)) throw cutLink();
  throw malformed("NoLink", "there is no link in the text; an invite is a link with a part behind #");
}

function readBytes(bytes: Uint8Array, readQr: QrReader | undefined): InvitePayload {
  const kind = imageKind(bytes);
  if (kind === undefined) return decodeInvitePayload(bytes);
  if (readQr === undefined)
    throw malformed("Image", `a ${kind.toUpperCase()} image is no invite; read its QR code first`);
  return readInvite(readQr(bytes));
}

/**
 * Reads an invite, given as a link to any page with the payload behind `#`, as `latchkey:` and the payload, as a text
 * with such a link inside, as the payload's bytes, or, with a reader, as an image that shows one of these as a QR code.
 * Throws INVITE_MALFORMED, INVITE_NO_QR.
 */
export function readInvite(invite: string | Uint8Array, readQr?: QrReader): InvitePayload {
  if (typeof invite !== "string") return readBytes(invite, readQr);
  if (invite.length > CLIENT_LIMITS.maxInviteTextCharacters) {
    throw malformed("TooLong", `a text of more than ${CLIENT_LIMITS.maxInviteTextCharacters} characters is no invite`);
  }
  const text = invite.trim();
  return /\s/.test(text) ? findLink(text) : readLink(text);
}
