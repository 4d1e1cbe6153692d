import { bytesKey, concatBytes } from "../bytes.ts";
import { CURVES, type NistCurve } from "../crypto/curves.ts";
import { KeyCache } from "../crypto/key-cache.ts";
import { HASHES, type HashName } from "../crypto/suites.ts";
import { CryptoError } from "../errors.ts";
import type { KeyAgreement, Signatures } from "./backend.ts";
import { nobleKeys } from "./noble-curves.ts";

/** Curves that WebCrypto signs on, and agrees on keys on, in current browsers. */
type SubtleSignatureCurve = "ed25519" | NistCurve;
type SubtleKemCurve = "x25519" | NistCurve;

const OKP_NAMES = { ed25519: "Ed25519", x25519: "X25519" } as const;

/** What precedes the 32 bytes of a private key in its PKCS #8 form (RFC 8410 §7); `oid` is the last byte of its OID. */
function pkcs8Prefix(oid: number): Uint8Array {
  return Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, oid, 4, 0x22, 4, 0x20);
}
const PKCS8 = { x25519: pkcs8Prefix(0x6e), ed25519: pkcs8Prefix(0x70) } as const;

/** Signatures by WebCrypto. Every method rejects, with errors that differ from browser to browser, for a bad key. */
export function subtleSignatures(subtle: SubtleCrypto, curve: SubtleSignatureCurve, hash: HashName): Signatures {
  const importing = curve === "ed25519" ? OKP_NAMES.ed25519 : { name: "ECDSA", namedCurve: CURVES[curve].namedCurve };
  const signing = curve === "ed25519" ? OKP_NAMES.ed25519 : { name: "ECDSA", hash: HASHES[hash].webName };
  // As in Node's provider: the same few members sign most messages, and importing is not free.
  const privateKeys = new KeyCache<Promise<CryptoKey>>(64);
  const publicKeys = new KeyCache<Promise<CryptoKey>>(1024);
  return {
    async sign(privateKey, message) {
      const create = () => importPrivate(subtle, curve, privateKey, importing, "sign");
      const key = await privateKeys.get(bytesKey(privateKey), create);
      return new Uint8Array(await subtle.sign(signing, key, owned(message)));
    },
    async verify(publicKey, message, signature) {
      const create = () => subtle.importKey("raw", owned(publicKey), importing, false, ["verify"]);
      const key = await publicKeys.get(bytesKey(publicKey), create);
      return subtle.verify(signing, key, owned(signature), owned(message));
    },
  };
}

/** Diffie-Hellman by WebCrypto; rejects for a point that is not on the curve and for an all-zero result. */
export function subtleKeyAgreement(subtle: SubtleCrypto, curve: SubtleKemCurve): KeyAgreement {
  const name = curve === "x25519" ? OKP_NAMES.x25519 : "ECDH";
  const importing = curve === "x25519" ? name : { name, namedCurve: CURVES[curve].namedCurve };
  const bits = 8 * CURVES[curve].privateKeyLength;
  return {
    async dh(privateKey, publicKey) {
      const [own, other] = await Promise.all([
        importPrivate(subtle, curve, privateKey, importing, "deriveBits"),
        subtle.importKey("raw", owned(publicKey), importing, false, []),
      ]);
      const shared = new Uint8Array(await subtle.deriveBits({ name, public: other }, own, bits));
      // RFC 7748 §6.1 leaves it to implementations whether they refuse the result of a public key of low order.
      if (curve === "x25519" && shared.every((byte) => byte === 0)) throw new CryptoError("the result is all zero");
      return shared;
    },
  };
}

function importPrivate(
  subtle: SubtleCrypto,
  curve: SubtleSignatureCurve | SubtleKemCurve,
  privateKey: Uint8Array,
  algorithm: string | { name: string; namedCurve: string },
  usage: "sign" | "deriveBits",
): Promise<CryptoKey> {
  if (curve === "x25519" || curve === "ed25519") {
    return subtle.importKey("pkcs8", owned(concatBytes(PKCS8[curve], privateKey)), algorithm, false, [usage]);
  }
  // Not every browser takes a private key of these curves without its public key.
  const point = nobleKeys(curve).publicKey(privateKey);
  const { namedCurve, privateKeyLength } = CURVES[curve];
  const jwk = {
    kty: "EC",
    crv: namedCurve,
    d: base64url(privateKey),
    x: base64url(point.subarray(1, 1 + privateKeyLength)),
    y: base64url(point.subarray(1 + privateKeyLength)),
  };
  return subtle.importKey("jwk", jwk, algorithm, false, [usage]);
}

function base64url(bytes: Uint8Array): string {
  return btoa(bytesKey(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** WebCrypto takes no view of memory that other threads share; the engine has none. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}
