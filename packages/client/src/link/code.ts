import {
  concatBytes,
  decodeUtf8,
  encode,
  equalBytes,
  fromHex,
  Reader,
  toHex,
  utf8,
  type LatchkeyError,
} from "@latchkey/mls";
import { clientError, codeOf } from "../errors.ts";
import { DEVICE_CODE_SCHEME, findDeviceCode } from "../invite/links/device-code.ts";
import { checkedServiceUrl } from "../invite/slots.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { base32, fromBase32 } from "./base32.ts";
import type { LinkHash } from "./key-schedule.ts";

/** Which of the two devices shows the code: the one that is in the inbox (`old`), or the one that is to be (`new`). */
export type LinkRole = "old" | "new";

/** What a code says by which a device is linked. It is used once. */
export interface LinkCode {
  /** Of the device that shows it. */
  readonly role: LinkRole;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 16 random bytes, from which the first three boxes are derived. */
  readonly secret: Uint8Array;
  /** Until when it may be used, by the node's clock, in whole seconds since 1970. */
  readonly expiresAtSeconds: number;
  /** The inbox of an `old` device; undefined for a `new` one. */
  readonly inboxId: string | undefined;
  /** Address of the service whose slots are the boxes. */
  readonly serviceUrl: string;
}

const VERSION = 1;
const ROLES: readonly LinkRole[] = ["new", "old"];
const KEY_BYTES = 32;
const SECRET_BYTES = 16;
const INBOX_BYTES = 32;
const CHECK_BYTES = 4;

/** The bytes of a code without its checksum: what the transcript covers. */
export function linkCodeBytes(code: LinkCode): Uint8Array {
  return encode(code, (writer, { role, publicKey, secret, expiresAtSeconds, inboxId, serviceUrl }) => {
    writer.u8(VERSION);
    writer.u8(ROLES.indexOf(role));
    writer.bytes(publicKey);
    writer.bytes(secret);
    writer.u32(expiresAtSeconds);
    if (inboxId !== undefined) writer.bytes(fromHex(inboxId));
    writer.opaque(utf8(serviceUrl));
  });
}

/** The code as text, in upper case so that its QR code is small: the scheme, and base32 with a checksum of 4 bytes. */
export function encodeLinkCode(suite: LinkHash, code: LinkCode): string {
  const bytes = linkCodeBytes(code);
  return DEVICE_CODE_SCHEME + base32(concatBytes(bytes, suite.hash(bytes).subarray(0, CHECK_BYTES)));
}

function malformed(message: string): LatchkeyError {
  return clientError("LINK_MALFORMED", message);
}

/**
 * Reads the code of a device, in upper or lower case, also within a text.
 *
 * @throws LINK_MALFORMED when there is none, or not a whole one; it says what to do.
 */
export function readLinkCode(suite: LinkHash, text: string): LinkCode {
  const found = text.length > CLIENT_LIMITS.maxInviteTextCharacters ? undefined : findDeviceCode(text);
  if (found === undefined) {
    const isInvite = /latchkey:|#c[gh]/i.test(text.slice(0, CLIENT_LIMITS.maxInviteTextCharacters));
    const hint = isInvite ? "an invite leads into a group; join by it instead" : "begin the link on the other device";
    throw malformed(`there is no code of a device here; ${hint}`);
  }
  const bytes = fromBase32(found);
  const code = bytes === undefined || bytes.length <= CHECK_BYTES ? undefined : decode(suite, bytes);
  if (code === undefined) throw malformed("the code of the device was cut or mistyped; scan it, or copy all of it");
  return code;
}

function decode(suite: LinkHash, bytes: Uint8Array): LinkCode | undefined {
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (!equalBytes(suite.hash(body).subarray(0, CHECK_BYTES), bytes.subarray(-CHECK_BYTES))) return undefined;
  try {
    return decodeBody(new Reader(body));
  } catch (error) {
    if (codeOf(error) === "LINK_MALFORMED") throw error;
    return undefined;
  }
}

function decodeBody(reader: Reader): LinkCode | undefined {
  if (reader.u8() !== VERSION) throw malformed("the code is of a version that this program does not know; update it");
  const role = ROLES[reader.u8()];
  if (role === undefined) return undefined;
  const publicKey = reader.bytes(KEY_BYTES).slice();
  const secret = reader.bytes(SECRET_BYTES).slice();
  const expiresAtSeconds = reader.u32();
  const inboxId = role === "old" ? toHex(reader.bytes(INBOX_BYTES)) : undefined;
  const serviceUrl = decodeUtf8(reader.opaque(CLIENT_LIMITS.maxLinkServiceBytes));
  reader.finish();
  if (checkedServiceUrl(serviceUrl) !== serviceUrl) return undefined;
  return { role, publicKey, secret, expiresAtSeconds, inboxId, serviceUrl };
}
