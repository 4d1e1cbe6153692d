import { utf8 } from "@latchkey/mls";
import type { ServicePointer } from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { checkedServiceUrl } from "./slots.ts";

/**
 * The pointer by which an invite names its service: `https_url`, or, because XIP-82 allows nothing but https there,
 * `opaque` with the UTF-8 address for a service on this very machine. Throws INVITE_MALFORMED for other addresses.
 */
export function servicePointer(serviceUrl: string): ServicePointer {
  const url = checkedServiceUrl(serviceUrl);
  if (url === undefined) {
    throw clientError("INVITE_MALFORMED", "the invite service has to be an https address, or http on this machine");
  }
  return url.startsWith("https:") ? { kind: "https_url", url } : { kind: "opaque", bytes: utf8(url) };
}

/** The address that a pointer names; undefined for opaque pointers of other applications. */
export function serviceUrlOf(pointer: ServicePointer | undefined): string | undefined {
  if (pointer === undefined) return undefined;
  return checkedServiceUrl(pointer.kind === "https_url" ? pointer.url : new TextDecoder().decode(pointer.bytes));
}
