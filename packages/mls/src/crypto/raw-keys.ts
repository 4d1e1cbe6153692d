import { toHex } from "../bytes.ts";
import { CryptoError } from "../errors.ts";
import { CURVES, type Curve, type CurveFacts } from "./curves.ts";

/** First byte of a point that is encoded with both coordinates (SEC 1 §2.3.3). */
const UNCOMPRESSED = 0x04;

/**
 * The private key at its full size. Throws CryptoError for another size, and for a scalar of a NIST curve that is not
 * from 1 to below the order: libraries disagree on whether they reduce one.
 */
export function checkedPrivateKey(curve: Curve, key: Uint8Array): Uint8Array {
  const { privateKeyLength, scalarRange }: CurveFacts = CURVES[curve];
  // Others store scalars as numbers, without their leading zeros.
  const whole = scalarRange !== undefined && key.length < privateKeyLength ? padded(key, privateKeyLength) : key;
  if (whole.length !== privateKeyLength) {
    throw new CryptoError(`a ${curve} private key has ${key.length} bytes, not ${privateKeyLength}`);
  }
  if (scalarRange !== undefined) {
    const scalar = BigInt(`0x${toHex(whole)}`);
    if (scalar === 0n || scalar >= scalarRange.order) {
      throw new CryptoError(`a ${curve} private key is not from 1 to below the order of the curve`);
    }
  }
  return whole;
}

/**
 * Throws CryptoError for a public key of another size, or for a point of a NIST curve that is not encoded uncompressed,
 * the only form of RFC 9420 §5.1.1: OpenSSL takes hybrid ones too. Whether the point is on the curve is not looked at.
 */
export function checkPublicKey(curve: Curve, key: Uint8Array): void {
  const { publicKeyLength, scalarRange }: CurveFacts = CURVES[curve];
  if (key.length !== publicKeyLength) {
    throw new CryptoError(`a ${curve} public key has ${key.length} bytes, not ${publicKeyLength}`);
  }
  if (scalarRange !== undefined && key[0] !== UNCOMPRESSED) {
    throw new CryptoError(`a ${curve} public key is not an uncompressed point`);
  }
}

function padded(scalar: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(scalar, length - scalar.length);
  return bytes;
}
