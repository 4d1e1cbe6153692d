import { JoinError } from "../errors.ts";
import { XMTP_LIMITS } from "../limits.ts";
import { decodeInvitePayload, encodeInvitePayload, type InvitePayload } from "./payload.ts";

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** Base64 takes 4 characters for 3 bytes; the part before the fragment is short. */
const MAX_URL_CHARACTERS = 2 * XMTP_LIMITS.maxInvitePayloadBytes;

/** Base64url without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function malformed(rule: string, message: string): JoinError {
  return new JoinError("INVITE_MALFORMED", message, { rule });
}

/** Reads base64url without padding; throws JoinError `INVITE_MALFORMED` for other text. */
export function fromBase64Url(text: string): Uint8Array {
  if (!BASE64URL.test(text) || text.length % 4 === 1) {
    throw malformed("InvalidBase64Url", "the part of the link behind # is damaged; was it copied whole?");
  }
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  if (toBase64Url(bytes) !== text) {
    throw malformed("InvalidBase64Url", "the part of the link behind # is damaged; was it copied whole?");
  }
  return bytes;
}

/**
 * The link of an invite. The invite is in the fragment, which browsers do not send to any server; anybody who has the
 * link can join. Throws JoinError `INVITE_MALFORMED`.
 */
export function inviteUrl(payload: InvitePayload, baseUrl: string): string {
  const url = URL.parse(baseUrl);
  if (url === null || url.hash !== "")
    throw malformed("InvalidBaseUrl", "the base of a link is a URL without a fragment");
  return `${url.href}#${toBase64Url(encodeInvitePayload(payload))}`;
}

/**
 * Reads the invite out of the fragment of a whole link; the rest of the link and a checksum behind a point are not looked
 * at. The client's reader finds links that people pasted. Throws JoinError `INVITE_MALFORMED`.
 */
export function parseInviteUrl(text: string): InvitePayload {
  if (text.length > MAX_URL_CHARACTERS) throw malformed("TooLong", "the link is longer than any invite");
  const trimmed = text.trim();
  const hash = trimmed.indexOf("#");
  if (hash === -1) throw malformed("MissingFragment", "the link has no part behind #, where the invite would be");
  return decodeInvitePayload(fromBase64Url(trimmed.slice(hash + 1).replace(/\.[\w-]*$/, "")));
}
