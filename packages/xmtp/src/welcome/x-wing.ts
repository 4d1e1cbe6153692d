import { ml_kem768_x25519 } from "@noble/post-quantum/hybrid.js";
import { CryptoError, HpkeContext, type CipherSuite, type KeyPair } from "@latchkey/mls";

/**
 * X-Wing as HPKE has it with XMTP: the KEM of draft 6 (ML-KEM-768 and X25519, combined by SHA3-256; later drafts kept
 * it) under the id it had before it was registered as 0x647A. KDF and AEAD are those of XMTP's groups.
 */
const KEM_ID = 0x004d;

/** Lengths in bytes of a private key, which is a seed, a public key, and what encapsulation takes at random. */
export const X_WING = { privateKeyBytes: 32, publicKeyBytes: 1216, randomBytes: 64 } as const;

/** A fresh key pair; some milliseconds. */
export function generateXWingKeyPair(randomBytes: (length: number) => Uint8Array): KeyPair {
  const privateKey = randomBytes(X_WING.privateKeyBytes);
  return { privateKey, publicKey: ml_kem768_x25519.keygen(privateKey).publicKey };
}

/** Runs the library and gives its errors their code: they come from keys and ciphertexts of others. */
function checked<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw new CryptoError(`an X-Wing ${what} is no good`, { cause });
  }
}

/** SetupBaseS (RFC 9180 §5.1.1) with X-Wing; throws CryptoError for a malformed public key. */
export function xWingSetupSender(
  suite: CipherSuite,
  publicKey: Uint8Array,
  info: Uint8Array,
): { kemOutput: Uint8Array; context: HpkeContext } {
  const random = suite.randomBytes(X_WING.randomBytes);
  const { cipherText, sharedSecret } = checked("public key", () => ml_kem768_x25519.encapsulate(publicKey, random));
  return { kemOutput: cipherText, context: new HpkeContext(suite, sharedSecret, info, KEM_ID) };
}

/**
 * SetupBaseR (RFC 9180 §5.1.1) with X-Wing; throws CryptoError for a malformed `kemOutput`. One for another key gives a
 * context that opens nothing.
 */
export function xWingSetupReceiver(
  suite: CipherSuite,
  kemOutput: Uint8Array,
  privateKey: Uint8Array,
  info: Uint8Array,
): HpkeContext {
  const sharedSecret = checked("ciphertext", () => ml_kem768_x25519.decapsulate(kemOutput, privateKey));
  return new HpkeContext(suite, sharedSecret, info, KEM_ID);
}
