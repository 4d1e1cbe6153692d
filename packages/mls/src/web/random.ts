/** The most that getRandomValues gives at once. */
const BYTES_AT_ONCE = 65_536;

/** Bytes of the browser's generator, which insecure pages have too. */
export function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let start = 0; start < length; start += BYTES_AT_ONCE) {
    crypto.getRandomValues(bytes.subarray(start, start + BYTES_AT_ONCE));
  }
  return bytes;
}
