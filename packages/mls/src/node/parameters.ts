import type { CipherSuite } from "../crypto/provider.ts";

/** The curves of the cipher suites. */
export type Curve = "x25519" | "x448" | "p256" | "p384" | "p521" | "ed25519" | "ed448";

/** Those that a KEM runs on. */
export type KemCurve = Exclude<Curve, "ed25519" | "ed448">;

/** What there is to know of a curve; lengths in bytes. */
export interface CurveFacts {
  readonly keyType: "x25519" | "x448" | "ed25519" | "ed448" | "ec";
  /** For curves of key type `ec`; their public keys are uncompressed points (RFC 9420 §5.1.1). */
  readonly namedCurve: string | undefined;
  readonly publicKeyLength: number;
  readonly privateKeyLength: number;
  /** Undefined for ECDSA, whose DER encoding varies. */
  readonly signatureLength?: number;
  readonly scalarRange: CipherSuite["scalarRange"];
}

/** Orders of the groups of P-256, P-384 and P-521 (NIST SP 800-186 §3.2.1). */
const ORDER = {
  p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  p384: BigInt("0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
  p521: BigInt(
    "0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  ),
} as const;

/** Sizes in bytes, and KEM ids of RFC 9180 §7.1. */
export const CURVES = {
  x25519: {
    kemId: 0x0020,
    keyType: "x25519",
    namedCurve: undefined,
    publicKeyLength: 32,
    privateKeyLength: 32,
    scalarRange: undefined,
  },
  x448: {
    kemId: 0x0021,
    keyType: "x448",
    namedCurve: undefined,
    publicKeyLength: 56,
    privateKeyLength: 56,
    scalarRange: undefined,
  },
  p256: {
    kemId: 0x0010,
    keyType: "ec",
    namedCurve: "P-256",
    publicKeyLength: 65,
    privateKeyLength: 32,
    scalarRange: { order: ORDER.p256, bitmask: 0xff },
  },
  p384: {
    kemId: 0x0011,
    keyType: "ec",
    namedCurve: "P-384",
    publicKeyLength: 97,
    privateKeyLength: 48,
    scalarRange: { order: ORDER.p384, bitmask: 0xff },
  },
  p521: {
    kemId: 0x0012,
    keyType: "ec",
    namedCurve: "P-521",
    publicKeyLength: 133,
    privateKeyLength: 66,
    scalarRange: { order: ORDER.p521, bitmask: 0x01 },
  },
  ed25519: {
    keyType: "ed25519",
    namedCurve: undefined,
    publicKeyLength: 32,
    privateKeyLength: 32,
    signatureLength: 64,
    scalarRange: undefined,
  },
  ed448: {
    keyType: "ed448",
    namedCurve: undefined,
    publicKeyLength: 57,
    privateKeyLength: 57,
    signatureLength: 114,
    scalarRange: undefined,
  },
} as const satisfies Record<KemCurve, CurveFacts & { kemId: number }> & Record<Curve, CurveFacts>;

export type HashName = "sha256" | "sha384" | "sha512";

/** Lengths in bytes, and KDF ids of RFC 9180 §7.2. */
export const HASHES = {
  sha256: { kdfId: 0x0001, length: 32 },
  sha384: { kdfId: 0x0002, length: 48 },
  sha512: { kdfId: 0x0003, length: 64 },
} as const;

/** An AEAD: OpenSSL's name, id of RFC 9180 §7.3, key length in bytes. */
export interface Aead {
  readonly cipher: "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";
  readonly id: number;
  readonly keyLength: number;
}

const AES_128_GCM: Aead = { cipher: "aes-128-gcm", id: 0x0001, keyLength: 16 };
const AES_256_GCM: Aead = { cipher: "aes-256-gcm", id: 0x0002, keyLength: 32 };
const CHACHA20_POLY1305: Aead = { cipher: "chacha20-poly1305", id: 0x0003, keyLength: 32 };

/** What a cipher suite is made of. */
export interface SuiteParameters {
  readonly kem: KemCurve;
  readonly hash: HashName;
  readonly aead: Aead;
  readonly signature: Curve;
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
