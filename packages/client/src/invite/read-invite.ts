import { LatchkeyError } from "@latchkey/mls";
import { decodeInvitePayload, parseInviteUrl, type InvitePayload } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { imageKind } from "./image.ts";

/** Finds the texts of the QR codes in an image file. */
type QrReader = (image: Uint8Array, signal?: AbortSignal) => Promise<readonly string[]>;

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

function readBytes(bytes: Uint8Array): InvitePayload {
  const kind = imageKind(bytes);
  if (kind === undefined) return decodeInvitePayload(bytes);
  throw malformed("Image", `a ${kind.toUpperCase()} image is not an invite; read its QR code first`);
}

/**
 * Reads an invite that may also be an image: the first of its QR codes that is one counts. Throws INVITE_MALFORMED with
 * the reason of the first code, INVITE_NO_QR, and the reason of the signal.
 */
export async function readInviteOrImage(
  invite: string | Uint8Array,
  readQr: QrReader | undefined,
  signal?: AbortSignal,
): Promise<InvitePayload> {
  if (typeof invite === "string" || readQr === undefined || imageKind(invite) === undefined) return readInvite(invite);
  let reason: LatchkeyError | undefined;
  for (const text of await readQr(invite, signal)) {
    try {
      return readInvite(text);
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
      reason ??= error;
    }
  }
  throw reason ?? clientError("INVITE_NO_QR", "the picture shows no QR code; take it again with the whole code");
}

/**
 * Reads an invite, given as a link to any page with the payload behind `#`, as `latchkey:` and the payload, as a text
 * with such a link inside, or as the payload's bytes. Throws INVITE_MALFORMED.
 */
export function readInvite(invite: string | Uint8Array): InvitePayload {
  if (typeof invite !== "string") return readBytes(invite);
  if (invite.length > CLIENT_LIMITS.maxInviteTextCharacters) {
    throw malformed("TooLong", `a text of more than ${CLIENT_LIMITS.maxInviteTextCharacters} characters is no invite`);
  }
  const text = invite.trim();
  return /\s/.test(text) ? findLink(text) : readLink(text);
}
