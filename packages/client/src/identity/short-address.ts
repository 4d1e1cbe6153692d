/** The beginning and the end of an address, as wallets show it: enough to tell one's own apart. */
export function shortAddress(address: string): string {
  return address.length > 12 ? `${address.slice(0, 6)}…${address.slice(-4)}` : address;
}
