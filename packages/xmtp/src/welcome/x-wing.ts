import { sha3_256 } from "@noble/hashes/sha3.js";
import { ml_kem768_x25519 } from "@noble/post-quantum/hybrid.js";
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import {
  concatBytes,
  CryptoError,
  HpkeContext,
  type CipherSuite,
  type Encapsulated,
  type KeyPair,
} from "@latchkey/mls";

/**
 * X-Wing as HPKE has it with XMTP: the KEM of draft 6 (ML-KEM-768 and X25519, combined by SHA3-256; later drafts kept
 * it) under the id it had before it was registered as 0x647A. KDF and AEAD are those of XMTP's groups.
 */
const KEM_ID = 0x004d;

/** Lengths in bytes of a private key, which is a seed, a public key, and what encapsulation takes at random. */
export const X_WING = { privateKeyBytes: 32, publicKeyBytes: 1216, randomBytes: 64 } as const;

/** The ML-KEM-768 key, which the X25519 key of 32 bytes follows. */
const ML_KEM_KEY_BYTES = 1184;

/** XWingLabel of the draft: `\.//^\`. */
const LABEL = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);

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

/**
 * Encapsulates for an X-Wing key, with X25519 of the suite, and ML-KEM-768 of the platform where it has that. What is random
 * comes from `random` otherwise, as in `ml_kem768_x25519.encapsulate`. Throws CryptoError for a malformed public key.
 */
export async function xWingEncapsulate(
  suite: CipherSuite,
  publicKey: Uint8Array,
  random: Uint8Array,
): Promise<Encapsulated> {
  if (publicKey.length !== X_WING.publicKeyBytes) throw new CryptoError("an X-Wing public key has 1216 bytes");
  const [mlKemKey, dhKey] = [publicKey.subarray(0, ML_KEM_KEY_BYTES), publicKey.subarray(ML_KEM_KEY_BYTES)];
  const [seed, ephemeralKey] = [random.subarray(0, 32), random.subarray(32)];
  const mlKem = checked("public key", () => onPlatform(suite, mlKemKey) ?? encapsulateInJs(mlKemKey, seed));
  const ephemeral = await suite.dhPublicKey(ephemeralKey);
  const shared = await suite.dh(ephemeralKey, dhKey);
  return {
    ciphertext: concatBytes(mlKem.ciphertext, ephemeral),
    sharedSecret: sha3_256(concatBytes(mlKem.sharedSecret, shared, ephemeral, dhKey, LABEL)),
  };
}

/** Undefined where the platform has no ML-KEM, or refuses the key: JavaScript then says what is wrong with it. */
function onPlatform(suite: CipherSuite, publicKey: Uint8Array): Encapsulated | undefined {
  try {
    return suite.encapsulateMlKem768?.(publicKey);
  } catch {
    return undefined;
  }
}

function encapsulateInJs(publicKey: Uint8Array, seed: Uint8Array): Encapsulated {
  const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, seed);
  return { ciphertext: cipherText, sharedSecret };
}

/** SetupBaseS (RFC 9180 §5.1.1) with X-Wing; throws CryptoError for a malformed public key. */
export async function xWingSetupSender(
  suite: CipherSuite,
  publicKey: Uint8Array,
  info: Uint8Array,
): Promise<{ kemOutput: Uint8Array; context: HpkeContext }> {
  const random = suite.randomBytes(X_WING.randomBytes);
  const { ciphertext, sharedSecret } = await xWingEncapsulate(suite, publicKey, random);
  return { kemOutput: ciphertext, context: new HpkeContext(suite, sharedSecret, info, KEM_ID) };
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
