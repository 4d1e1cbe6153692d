/**
 * A private key and its public key, raw bytes: an EdDSA private key is its seed, a NIST one its scalar, a NIST public key
 * an uncompressed point. */
export interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** One signature to check. */
export interface SignatureCheck {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** What encapsulating for a key gives: what is sent to its owner, and the secret that both have. */
export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly sharedSecret: Uint8Array;
}

/**
 * The primitives of one cipher suite (RFC 9420 §5.1).
 *
 * Hashes, HMAC, HKDF and AEAD are synchronous because awaiting them costs fifty times their work; signatures and
 * Diffie-Hellman are asynchronous so that a provider may use a thread pool or WebCrypto. Every provider takes the same
 * signatures, or members could disagree about a commit: for EdDSA those of the table of `mayBeEdDsa`, for ECDSA either
 * S in its one DER form, with uncompressed public keys only. `testing/provider-suite.ts` holds what all must do alike.
 */
export interface CipherSuite {
  /** Value in the IANA registry of MLS cipher suites. */
  readonly id: number;
  readonly kemId: number;
  readonly kdfId: number;
  readonly aeadId: number;
  /** Nh of RFC 9420: length of a hash, of every secret and of every MAC, in bytes. */
  readonly hashLength: number;
  readonly aeadKeyLength: number;
  readonly aeadNonceLength: number;
  readonly hpkePublicKeyLength: number;
  readonly hpkePrivateKeyLength: number;
  /**
   * For NIST curves, whose private keys are scalars below the order: a derived candidate, its first byte masked, is
   * taken only in range (RFC 9180 §7.1.3). Undefined for X25519 and X448, where any bytes are a private key.
   */
  readonly scalarRange: { readonly order: bigint; readonly bitmask: number } | undefined;

  randomBytes(length: number): Uint8Array;
  hash(data: Uint8Array): Uint8Array;
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array;
  hkdfExpand(pseudoRandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** Ciphertext followed by its 16-byte tag. */
  aeadSeal(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Throws CryptoError when the tag does not match. */
  aeadOpen(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array;

  generateSignatureKeyPair(): Promise<KeyPair>;
  signaturePublicKey(privateKey: Uint8Array): Promise<Uint8Array>;
  sign(privateKey: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
  /** False for a bad signature as well as for a malformed key: both come from the sender. */
  verify(check: SignatureCheck): Promise<boolean>;
  /** As `verify`, for many at once, in the same order. */
  verifyBatch(checks: readonly SignatureCheck[]): Promise<boolean[]>;

  /** Throws CryptoError when the private key has the wrong size or, for a NIST curve, is not below the order. */
  dhPublicKey(privateKey: Uint8Array): Promise<Uint8Array>;
  /** Throws CryptoError for a malformed public key and for an all-zero result (RFC 9180 §7.1.4). */
  dh(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array>;

  /**
   * Encapsulates for an ML-KEM-768 key of 1184 bytes (FIPS 203), where the platform can. No suite of RFC 9420 needs it.
   * Throws CryptoError for a malformed key.
   */
  readonly encapsulateMlKem768?: ((publicKey: Uint8Array) => Encapsulated) | undefined;
}

/** Where cipher suites and randomness come from; injected, so that the engine runs in Node and in browsers. */
export interface CryptoProvider {
  /** The suite of that id; throws UnsupportedError for one this provider does not carry. */
  suite(id: number): CipherSuite;
  supports(id: number): boolean;
  randomBytes(length: number): Uint8Array;
}

/** Cipher suites of RFC 9420 §17.1. */
export const CIPHER_SUITE = {
  MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: 0x0001,
  MLS_128_DHKEMP256_AES128GCM_SHA256_P256: 0x0002,
  MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519: 0x0003,
  MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448: 0x0004,
  MLS_256_DHKEMP521_AES256GCM_SHA512_P521: 0x0005,
  MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448: 0x0006,
  MLS_256_DHKEMP384_AES256GCM_SHA384_P384: 0x0007,
} as const;
