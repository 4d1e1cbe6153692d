import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { CURVES, isEdwards, type KemCurve, type SignatureCurve } from "../crypto/curves.ts";
import { mayBeEdDsa } from "../crypto/eddsa-rules.ts";
import type { CipherSuite, KeyPair, SignatureCheck } from "../crypto/provider.ts";
import { checkedPrivateKey, checkPublicKey } from "../crypto/raw-keys.ts";
import { SuiteBase } from "../crypto/suite-base.ts";
import type { SuiteParameters } from "../crypto/suites.ts";
import { CryptoError } from "../errors.ts";
import type { KeyAgreement, Signatures } from "./backend.ts";
import { derFromRaw, rawFromDer } from "./der.ts";
import { keyAgreementOn, signaturesOn } from "./native.ts";
import { nobleKeys } from "./noble-curves.ts";
import { randomBytes } from "./random.ts";

const HASH_FUNCTIONS = { sha256, sha384, sha512 } as const;
const AEADS = { "aes-128-gcm": gcm, "aes-256-gcm": gcm, "chacha20-poly1305": chacha20poly1305 } as const;

/** One cipher suite of RFC 9420 §17.1 on WebCrypto and @noble. */
export class WebSuite extends SuiteBase implements CipherSuite {
  readonly randomBytes = randomBytes;
  readonly #aead: (typeof AEADS)[keyof typeof AEADS];
  readonly #hash: (typeof HASH_FUNCTIONS)[keyof typeof HASH_FUNCTIONS];
  readonly #kem: KemCurve;
  readonly #keyAgreement: KeyAgreement;
  readonly #signature: SignatureCurve;
  readonly #signatures: Signatures;

  /** Without `subtle`, as on pages that are not served securely, everything is done by @noble. */
  constructor(id: number, parameters: SuiteParameters, subtle: SubtleCrypto | undefined) {
    super(id, parameters);
    const { aead, hash, kem, signature } = parameters;
    this.#aead = AEADS[aead.cipher];
    this.#hash = HASH_FUNCTIONS[hash];
    this.#kem = kem;
    this.#keyAgreement = keyAgreementOn(kem, subtle);
    this.#signature = signature;
    this.#signatures = signaturesOn(signature, hash, subtle);
  }

  hash(data: Uint8Array): Uint8Array {
    return this.#hash(data);
  }

  hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
    return hmac(this.#hash, key, data);
  }

  aeadSeal(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.checkAeadSizes(key, nonce);
    return this.#aead(key, nonce, additionalData).encrypt(plaintext);
  }

  aeadOpen(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    this.checkAeadSizes(key, nonce);
    try {
      return this.#aead(key, nonce, additionalData).decrypt(ciphertext);
    } catch (cause) {
      throw new CryptoError("a ciphertext did not open: it was changed, or it is for another key", { cause });
    }
  }

  async generateSignatureKeyPair(): Promise<KeyPair> {
    const keys = nobleKeys(this.#signature);
    const privateKey = keys.randomPrivateKey();
    return { privateKey, publicKey: keys.publicKey(privateKey) };
  }

  async signaturePublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return nobleKeys(this.#signature).publicKey(checkedPrivateKey(this.#signature, privateKey));
  }

  async sign(privateKey: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
    const signature = await this.#signatures.sign(checkedPrivateKey(this.#signature, privateKey), message);
    return isEdwards(this.#signature) ? signature : derFromRaw(signature);
  }

  async verify({ publicKey, message, signature }: SignatureCheck): Promise<boolean> {
    const raw = this.#rawSignature(publicKey, signature);
    return raw !== undefined && this.#signatures.verify(publicKey, message, raw);
  }

  /** WebCrypto works on threads of its own; @noble, where it must do, checks one after the other. */
  async verifyBatch(checks: readonly SignatureCheck[]): Promise<boolean[]> {
    return Promise.all(checks.map((check) => this.verify(check)));
  }

  async dhPublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return nobleKeys(this.#kem).publicKey(checkedPrivateKey(this.#kem, privateKey));
  }

  async dh(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
    const own = checkedPrivateKey(this.#kem, privateKey);
    checkPublicKey(this.#kem, publicKey);
    try {
      return await this.#keyAgreement.dh(own, publicKey);
    } catch (cause) {
      throw new CryptoError("a public key is of low order or not on its curve, and gives no shared secret", { cause });
    }
  }

  /** The signature as the curve's backend takes it; undefined for a key or signature that cannot be one. */
  #rawSignature(publicKey: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
    const curve = this.#signature;
    if (isEdwards(curve)) return mayBeEdDsa(curve, publicKey, signature) ? signature : undefined;
    try {
      checkPublicKey(curve, publicKey);
    } catch {
      return undefined;
    }
    return rawFromDer(signature, CURVES[curve].privateKeyLength);
  }
}
