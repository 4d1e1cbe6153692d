import type { CipherSuite } from "./provider.ts";

/** The curves of the cipher suites. */
export type Curve = KemCurve | SignatureCurve;

/** Those of EdDSA (RFC 8032). */
export type EdwardsCurve = "ed25519" | "ed448";

/** Those of NIST (SP 800-186), which both sign and agree on keys. */
export type NistCurve = "p256" | "p384" | "p521";

/** Those that sign. */
export type SignatureCurve = EdwardsCurve | NistCurve;

/** Those that a KEM runs on. */
export type KemCurve = "x25519" | "x448" | NistCurve;

/** True for a curve of EdDSA. */
export function isEdwards(curve: Curve): curve is EdwardsCurve {
  return curve === "ed25519" || curve === "ed448";
}

/** What there is to know of a curve; lengths in bytes. */
export interface CurveFacts {
  readonly keyType: "x25519" | "x448" | "ed25519" | "ed448" | "ec";
  /** For curves of key type `ec`; their public keys are uncompressed points (RFC 9420 §5.1.1). */
  readonly namedCurve: string | undefined;
  readonly publicKeyLength: number;
  readonly privateKeyLength: number;
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
    scalarRange: undefined,
  },
  ed448: {
    keyType: "ed448",
    namedCurve: undefined,
    publicKeyLength: 57,
    privateKeyLength: 57,
    scalarRange: undefined,
  },
} as const satisfies Record<KemCurve, CurveFacts & { kemId: number }> & Record<Curve, CurveFacts>;
