/** The key by which a client is counted: an IPv4 address, or the /64 of an IPv6 address, which one household owns. */
export function addressKey(address: string): string {
  const v4 = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (v4 !== undefined) return v4;
  const [head = "", tail] = address.split("%", 1).join("").split("::", 2);
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const start = groups(head);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - start.length - groups(tail).length);
  const all = [...start, ...Array.from({ length: missing }, () => "0"), ...groups(tail ?? "")];
  return `${all.slice(0, 4).join(":")}::/64`;
}
