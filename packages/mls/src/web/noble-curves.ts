import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { ed448, x448 } from "@noble/curves/ed448.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, toHex } from "../bytes.ts";
import type { KemCurve, NistCurve, SignatureCurve } from "../crypto/curves.ts";
import type { KeyAgreement, Keys, Signatures } from "./backend.ts";

const NIST = { p256, p384, p521 };
const RAW = { x25519, x448, ed25519, ed448 };

/** Messages are hashed by noble, with the hash of MLS for that curve; either S is taken, as by every other library. */
const ECDSA = { prehash: true, lowS: false, format: "compact" } as const;

/** Key pairs of any curve by @noble; a NIST public key is an uncompressed point. */
export function nobleKeys(curve: KemCurve | SignatureCurve): Keys {
  if (isNist(curve)) {
    const { utils, getPublicKey } = NIST[curve];
    return {
      randomPrivateKey: () => utils.randomSecretKey(),
      publicKey: (privateKey) => getPublicKey(privateKey, false),
    };
  }
  const { utils, getPublicKey } = RAW[curve];
  return { randomPrivateKey: () => utils.randomSecretKey(), publicKey: (privateKey) => getPublicKey(privateKey) };
}

/** Signatures by @noble, milliseconds each. Verification equations are those of `mayBeEdDsa`'s table. */
export function nobleSignatures(curve: SignatureCurve): Signatures {
  if (isNist(curve)) {
    const ecdsa = NIST[curve];
    return {
      sign: async (privateKey, message) => ecdsa.sign(message, privateKey, ECDSA),
      verify: async (publicKey, message, signature) => ecdsa.verify(signature, message, publicKey, ECDSA),
    };
  }
  const { sign } = RAW[curve];
  return {
    sign: async (privateKey, message) => sign(message, privateKey),
    verify: async (publicKey, message, signature) =>
      curve === "ed25519"
        ? verifyEd25519(publicKey, message, signature)
        : ed448.verify(signature, message, publicKey, { zip215: false }),
  };
}

/** Diffie-Hellman by @noble; a NIST result is the x coordinate (RFC 9180 §4.1). */
export function nobleKeyAgreement(curve: KemCurve): KeyAgreement {
  if (isNist(curve)) {
    const { getSharedSecret } = NIST[curve];
    // What precedes the x coordinate is the byte that tells compressed points of even and odd y apart.
    return { dh: async (privateKey, publicKey) => getSharedSecret(privateKey, publicKey, true).subarray(1) };
  }
  const { getSharedSecret } = RAW[curve];
  return { dh: async (privateKey, publicKey) => getSharedSecret(privateKey, publicKey) };
}

function isNist(curve: KemCurve | SignatureCurve): curve is NistCurve {
  return curve in NIST;
}

/** [S]B - [k]A = R by its encoding: cofactorless, where noble's own `verify` multiplies the equation by the cofactor. */
function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { BASE, Fn } = ed25519.Point;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const challenge = Fn.create(littleEndian(sha512(concatBytes(r, publicKey, message))));
  let key;
  try {
    key = ed25519.Point.fromBytes(publicKey);
  } catch {
    return false;
  }
  return equalBytes(BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(challenge)).toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`);
}
