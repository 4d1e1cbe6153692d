/*
 * An invite of a stranger must not make a program talk to whatever else runs on its machine or in its network. Addresses
 * that say so by themselves are told here. A name that a resolver leads to such an address is not seen: whoever needs more
 * runs the client behind a proxy that refuses them.
 */

/** First address and prefix length of the IPv4 blocks that are not the public internet (RFC 6890 and multicast). */
const LOCAL_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

/** Names that resolve in a local network or on the machine only (RFC 6761, RFC 6762, RFC 8375). */
const LOCAL_NAMES = /(^|\.)(localhost|localdomain|local|internal|intranet|lan|home|corp|private|home\.arpa)$/;

function ipv4Number(text: string): number | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined;
  return text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function isLocalV4(address: number): boolean {
  return LOCAL_V4.some(([first, length]) => {
    const block = 2 ** (32 - length);
    return Math.floor(address / block) === Math.floor((ipv4Number(first) ?? 0) / block);
  });
}

/** The eight 16-bit groups of an IPv6 address as the URL parser writes it, without brackets. */
function ipv6Groups(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail ?? "")];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** Only 2000::/3 is public; of it not what carries a local IPv4 address (6to4), Teredo, and documentation. */
function isLocalV6(groups: readonly number[]): boolean {
  const [a = 0, b = 0, c = 0] = groups;
  const v4 = (high: number, low: number) => isLocalV4((groups[high] ?? 0) * 65_536 + (groups[low] ?? 0));
  const isZero = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  // An IPv4 address in other clothes: mapped (::ffff:0:0/96), translated (64:ff9b::/96).
  if (isZero(0, 5) && groups[5] === 0xffff) return v4(6, 7);
  if (a === 0x64 && b === 0xff9b && isZero(2, 6)) return v4(6, 7);
  if (a === 0x2002) return isLocalV4(b * 65_536 + c);
  if (a === 0x2001 && (b === 0 || b === 0xdb8)) return true;
  return a >> 13 !== 1;
}

/**
 * Whether an address leads to this machine or a local network, as far as its text says: loopback, private and link-local
 * ranges in any spelling, IPv4 within IPv6, `localhost` and its like, names without a dot. The host is one that the URL
 * parser has normalised, which turns decimal, octal and hexadecimal IPv4 into four numbers.
 */
export function isLocalAddress({ hostname }: URL): boolean {
  if (hostname.startsWith("[")) return isLocalV6(ipv6Groups(hostname.slice(1, -1)));
  const name = hostname.toLowerCase().replace(/\.+$/, "");
  const address = ipv4Number(name);
  if (address !== undefined) return isLocalV4(address);
  return !name.includes(".") || LOCAL_NAMES.test(name);
}
