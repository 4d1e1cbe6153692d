import type { InvitePayload } from "@latchkey/xmtp";
import { servicePointer } from "../service.ts";
import { checkedServiceUrl } from "../slots.ts";
import { CHECKSUM_CHARACTERS, linkChecksum } from "./checksum.ts";
import type { PayloadInText } from "./find-payload.ts";

/** Characters before a payload that are looked at. */
const MAX_LOOK_BACK = 4_096;

/** How a payload's checksum fits: readers need none, and a sentence may look like a wrong one. */
export type ChecksumState = "right" | "wrong" | "absent";

/** What stands before a payload without white space. */
export function linkBefore(text: string, from: number): string {
  return /\S*$/.exec(text.slice(Math.max(0, from - MAX_LOOK_BACK), from))?.[0] ?? "";
}

/** Undoes percent-encoding where it is sound; the rest stays. */
export function percentDecoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}

/** Undoes up to three layers, as links that pass several programs have them. */
export function allDecoded(text: string): string {
  return percentDecoded(percentDecoded(percentDecoded(text)));
}

/** Whether a link is of a scheme under which a page or a file would be opened that nobody serves. */
export function isForeignScheme(before: string): boolean {
  return /(?:^|[^a-z0-9+.-])(?:data|javascript|vbscript|file|blob|about):\S*$/i.test(before);
}

/**
 * Whether servers have seen the payload: it stands in the path or query of a link, because `#` was encoded, or the link was
 * wrapped into another one. `wrapped` where it was found under an encoding.
 */
export function isExposed(before: string, wrapped: boolean): boolean {
  if (/^\W*mailto:/i.test(before)) return false;
  const link = before.search(/https?:\/\//i);
  if (wrapped || link < 0) return wrapped || /%(?:25)*23$/i.test(before);
  return !before
    .slice(link)
    .replaceAll(/&#(?:35|x23);/gi, "#")
    .includes("#");
}

/** The checksum behind a payload, compared. */
export function checksumState(text: string, { to, bytes, decimal }: PayloadInText): ChecksumState {
  if (decimal || text[to] !== ".") return "absent";
  const behind = /^[\w-]+/.exec(text.slice(to + 1, to + 32))?.[0] ?? "";
  if (behind.length !== CHECKSUM_CHARACTERS) return "absent";
  return behind === linkChecksum(bytes) ? "right" : "wrong";
}

/** Scheme, host and port of the link that a payload stands in; undefined for `latchkey:` and a payload alone. */
function originBefore(before: string): string | undefined {
  const plain = allDecoded(before)
    .replaceAll("\\/", "/")
    .replaceAll(/[\u200b-\u200f\u2060-\u206f\ufeff\u00ad]/g, "");
  const lower = plain.toLowerCase();
  const start = Math.max(lower.lastIndexOf("https://"), lower.lastIndexOf("http://"));
  if (start >= 0) return URL.parse(plain.slice(start))?.origin;
  // A link that was copied without its scheme.
  const [host] = /[\w-]+(?:\.[\w-]+)+(?::\d+)?(?=\/)/.exec(plain) ?? [];
  return host === undefined ? undefined : URL.parse(`https://${host}`)?.origin;
}

/**
 * A drawn code leaves the pointer out where it is the link's own origin; this puts it back, so that the payload has the same
 * bytes as the copied link.
 */
export function withOriginPointer({ payload, decimal }: PayloadInText, before: string): InvitePayload {
  if (!decimal || payload.servicePointer !== undefined) return payload;
  const origin = originBefore(before);
  if (origin === undefined) return payload;
  const url = checkedServiceUrl(origin);
  return url === undefined ? payload : { ...payload, servicePointer: servicePointer(url) };
}
