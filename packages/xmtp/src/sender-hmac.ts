import { concatBytes, utf8, type CipherSuite } from "@latchkey/mls";

/** Length of the secret that an inbox's installations share for this, and of the key derived from it, in bytes. */
export const HMAC_ROOT_BYTES = 42;

const SALT = utf8("libXMTP HKDF salt!");
const EPOCH_SECONDS = 30n * 24n * 3600n;

/**
 * `sender_hmac` of a message: lets a push service drop an inbox's own messages without knowing the sender. The key
 * changes every 30 days. 32 bytes.
 */
export function senderHmac(options: {
  suite: CipherSuite;
  /** 42 random bytes of the inbox; secret. */
  root: Uint8Array;
  groupId: Uint8Array;
  /** Time of sending, in seconds since 1970. */
  epochSeconds: bigint;
  /** MLSMessage bytes as published. */
  data: Uint8Array;
}): Uint8Array {
  const { suite, root, groupId, epochSeconds, data } = options;
  const period = new Uint8Array(8);
  // Little-endian, unlike everything else on the wire: that is how the reference writes it.
  new DataView(period.buffer).setBigInt64(0, epochSeconds / EPOCH_SECONDS, true);
  const secret = suite.hkdfExtract(SALT, concatBytes(root, groupId));
  const key = suite.hkdfExpand(secret, concatBytes(groupId, period), HMAC_ROOT_BYTES);
  return suite.hmac(key, data);
}
