import { CryptoError } from "../errors.ts";
import { CURVES } from "./curves.ts";
import type { CipherSuite } from "./provider.ts";
import { HASHES, type SuiteParameters } from "./suites.ts";

/** What cipher suites of all providers share: their numbers, HKDF from their HMAC, and the sizes an AEAD takes. */
export abstract class SuiteBase {
  readonly id: number;
  readonly kemId: number;
  readonly kdfId: number;
  readonly aeadId: number;
  readonly hashLength: number;
  readonly aeadKeyLength: number;
  readonly aeadNonceLength = 12;
  readonly hpkePublicKeyLength: number;
  readonly hpkePrivateKeyLength: number;
  readonly scalarRange: CipherSuite["scalarRange"];

  constructor(id: number, { kem, hash, aead }: SuiteParameters) {
    this.id = id;
    this.kemId = CURVES[kem].kemId;
    this.kdfId = HASHES[hash].kdfId;
    this.aeadId = aead.id;
    this.hashLength = HASHES[hash].length;
    this.aeadKeyLength = aead.keyLength;
    this.hpkePublicKeyLength = CURVES[kem].publicKeyLength;
    this.hpkePrivateKeyLength = CURVES[kem].privateKeyLength;
    this.scalarRange = CURVES[kem].scalarRange;
  }

  abstract hmac(key: Uint8Array, data: Uint8Array): Uint8Array;

  /** HKDF-Extract (RFC 5869 §2.2). */
  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array {
    return this.hmac(salt, inputKeyMaterial);
  }

  /** HKDF-Expand (RFC 5869 §2.3): one HMAC per hash length. Throws CryptoError above 255 of them. */
  hkdfExpand(pseudoRandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    if (length > 255 * this.hashLength) throw new CryptoError(`HKDF cannot expand to ${length} bytes`);
    const output = new Uint8Array(length);
    // Previous block, info, counter; the first time there is no previous block.
    const input = new Uint8Array(this.hashLength + info.length + 1);
    input.set(info, this.hashLength);
    for (let offset = 0, counter = 1; offset < length; offset += this.hashLength, counter++) {
      input[input.length - 1] = counter;
      const block = this.hmac(pseudoRandomKey, counter === 1 ? input.subarray(this.hashLength) : input);
      output.set(block.subarray(0, Math.min(this.hashLength, length - offset)), offset);
      input.set(block);
    }
    return output;
  }

  /** Throws CryptoError unless key and nonce have the sizes of the suite's AEAD. */
  protected checkAeadSizes(key: Uint8Array, nonce: Uint8Array): void {
    if (key.length !== this.aeadKeyLength || nonce.length !== this.aeadNonceLength) {
      const expected = `${this.aeadKeyLength} and ${this.aeadNonceLength}`;
      throw new CryptoError(`an AEAD key and nonce have ${key.length} and ${nonce.length} bytes, not ${expected}`);
    }
  }
}
