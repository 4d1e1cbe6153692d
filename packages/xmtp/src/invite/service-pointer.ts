import { DecodeError, decodeUtf8, toHex, utf8 } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import type { ServicePointer as ServicePointerMessage } from "../proto.ts";

/** Where the slot of an invite is: an https URL, or bytes whose meaning the application defines. */
export type ServicePointer =
  { readonly kind: "https_url"; readonly url: string } | { readonly kind: "opaque"; readonly bytes: Uint8Array };

/** Whether a text is an absolute https URL of a length that nodes take. */
export function isHttpsUrl(text: string): boolean {
  if (utf8(text).length > XMTP_LIMITS.maxServiceUrlBytes) return false;
  return /^https:\/\//i.test(text) && URL.canParse(text);
}

/** Reads a pointer; throws DecodeError with `rule` `EmptyServicePointer` or `InvalidHttpsUrl`. */
export function readServicePointer(message: ServicePointerMessage): ServicePointer {
  const { location } = message;
  if (location.case === undefined) {
    throw new DecodeError("a service pointer is present and empty", { rule: "EmptyServicePointer" });
  }
  if (location.case === "opaque") return { kind: "opaque", bytes: location.value };
  if (!isHttpsUrl(location.value)) {
    throw new DecodeError("a service pointer is not an absolute https URL", { rule: "InvalidHttpsUrl" });
  }
  return { kind: "https_url", url: location.value };
}

/** The message fields of a pointer. */
export function servicePointerInit(pointer: ServicePointer) {
  return pointer.kind === "https_url"
    ? { location: { case: "httpsUrl" as const, value: pointer.url } }
    : { location: { case: "opaque" as const, value: pointer.bytes } };
}

/** `scheme://host:port` of an http or https address in its normal form; undefined for any other text. */
function originOf(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return undefined;
  // A final dot makes another text of the same name.
  const host = url.hostname.replace(/\.$/, "");
  return `${url.protocol}//${host}${url.port === "" ? "" : `:${url.port}`}`;
}

/** The URL of a pointer, or the UTF-8 text of an opaque one; the empty text for other bytes. */
export function pointerText(pointer: ServicePointer): string {
  if (pointer.kind === "https_url") return pointer.url;
  try {
    return decodeUtf8(pointer.bytes);
  } catch {
    return "";
  }
}

/**
 * The origin of the service that a pointer names, equal for all who read the pointer: `https://host` with a port other
 * than 443, the same of an opaque pointer whose bytes are an address, else `opaque:` and the pointer in hex. It depends
 * on the pointer alone, never on the address that a client uses for the service.
 */
export function serviceOrigin(pointer: ServicePointer): string {
  const text = pointerText(pointer);
  return originOf(text) ?? `opaque:${toHex(pointer.kind === "opaque" ? pointer.bytes : utf8(text))}`;
}
