import { UnsupportedError } from "../errors.ts";
import type { KemCurve, SignatureCurve } from "./curves.ts";
import type { CipherSuite, CryptoProvider } from "./provider.ts";

export type HashName = "sha256" | "sha384" | "sha512";

/** Lengths in bytes, KDF ids of RFC 9180 §7.2, and names in WebCrypto. */
export const HASHES = {
  sha256: { kdfId: 0x0001, length: 32, webName: "SHA-256" },
  sha384: { kdfId: 0x0002, length: 48, webName: "SHA-384" },
  sha512: { kdfId: 0x0003, length: 64, webName: "SHA-512" },
} as const;

/** An AEAD: its usual name, id of RFC 9180 §7.3, key length in bytes. */
export interface Aead {
  readonly cipher: "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";
  readonly id: number;
  readonly keyLength: number;
}

const AES_128_GCM: Aead = { cipher: "aes-128-gcm", id: 0x0001, keyLength: 16 };
const AES_256_GCM: Aead = { cipher: "aes-256-gcm", id: 0x0002, keyLength: 32 };
const CHACHA20_POLY1305: Aead = { cipher: "chacha20-poly1305", id: 0x0003, keyLength: 32 };

/** Parts of a cipher suite. */
export interface SuiteParameters {
  readonly kem: KemCurve;
  readonly hash: HashName;
  readonly aead: Aead;
  readonly signature: SignatureCurve;
}

/** The suites of RFC 9420 §17.1, by their number. */
export const SUITES: Readonly<Record<number, SuiteParameters>> = {
  0x0001: { kem: "x25519", hash: "sha256", aead: AES_128_GCM, signature: "ed25519" },
  0x0002: { kem: "p256", hash: "sha256", aead: AES_128_GCM, signature: "p256" },
  0x0003: { kem: "x25519", hash: "sha256", aead: CHACHA20_POLY1305, signature: "ed25519" },
  0x0004: { kem: "x448", hash: "sha512", aead: AES_256_GCM, signature: "ed448" },
  0x0005: { kem: "p521", hash: "sha512", aead: AES_256_GCM, signature: "p521" },
  0x0006: { kem: "x448", hash: "sha512", aead: CHACHA20_POLY1305, signature: "ed448" },
  0x0007: { kem: "p384", hash: "sha384", aead: AES_256_GCM, signature: "p384" },
};

/** A provider of all suites; `create` makes one, `randomBytes` is the provider's source of randomness. */
export function providerOfSuites(
  create: (id: number, parameters: SuiteParameters) => CipherSuite,
  randomBytes: (length: number) => Uint8Array,
): CryptoProvider {
  const suites = new Map(
    Object.entries(SUITES).map(([id, parameters]) => [Number(id), create(Number(id), parameters)]),
  );
  return {
    suite(id) {
      const suite = suites.get(id);
      if (suite === undefined) {
        throw new UnsupportedError(`cipher suite ${id} is not carried by this provider`, { data: { cipherSuite: id } });
      }
      return suite;
    },
    supports: (id) => suites.has(id),
    randomBytes,
  };
}
