/** Generator of CRC-24 (RFC 9580, section 6.1.1). */
const POLYNOMIAL = 0x1864cfb;
const START = 0xb704ce;

/** Characters of a checksum: 24 bits in base64url. */
export const CHECKSUM_CHARACTERS = 4;

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/**
 * The four characters that stand behind a payload in a link, after a point. They protect nothing: a wrong one lets a
 * reader say that the link was mistyped.
 */
export function linkChecksum(payload: Uint8Array): string {
  let crc = START;
  for (const byte of payload) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit++) {
      crc <<= 1;
      if (crc & 0x1000000) crc ^= POLYNOMIAL;
    }
  }
  return [18, 12, 6, 0].map((shift) => BASE64URL[(crc >> shift) & 63] ?? "").join("");
}
