import { DecodeError, utf8 } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import type { ServicePointer as ServicePointerMessage } from "../proto.ts";

/** Where the slot of an invite is: an https URL, or bytes whose meaning the application defines. */
export type ServicePointer =
  { readonly kind: "https_url"; readonly url: string } | { readonly kind: "opaque"; readonly bytes: Uint8Array };

function isHttpsUrl(text: string): boolean {
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
