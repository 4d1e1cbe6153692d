import { isIP, isIPv4 } from "node:net";

/** Groups of 16 bits in an IPv6 address. */
const GROUPS = 8;

/**
 * The key by which a client is counted: an IPv4 address, or the /64 of an IPv6 address, which one household owns. All
 * spellings of an address have one key.
 */
export function addressKey(address: string): string {
  if (isIPv4(address)) return address;
  const groups = groupsOf(address.split("%", 1).join(""));
  const [high = 0, low = 0] = groups.slice(6);
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/** The eight groups of an IPv6 address; what is missing or malformed is zero. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::", 2).map((part) => part.split(":").flatMap(groupOf));
  const start = head === "" ? [] : head;
  const end = tail ?? [];
  const zeros = Math.max(0, GROUPS - start.length - end.length);
  return [...start, ...Array.from({ length: zeros }, () => 0), ...end];
}

function groupOf(text: string): number[] {
  if (text === "") return [];
  if (!isIPv4(text)) return [Number.parseInt(text, 16) || 0];
  const [a = 0, b = 0, c = 0, d = 0] = text.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}

/**
 * The address that a proxy has put last into `X-Forwarded-For`, with or without a port, brackets and quotes; undefined
 * when it is none.
 */
export function forwardedAddress(header: string): string | undefined {
  const last = header.split(",").at(-1)?.replaceAll('"', "").trim() ?? "";
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(last)?.[1];
  const withPort = /^([\d.]+):\d+$/.exec(last)?.[1];
  const address = bracketed ?? withPort ?? last;
  return isIP(address) === 0 ? undefined : address;
}
