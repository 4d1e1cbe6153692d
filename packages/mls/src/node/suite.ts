import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  diffieHellman,
  generateKeyPairSync,
  hash,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { bytesKey } from "../bytes.ts";
import { CURVES, isEdwards, type Curve, type KemCurve, type SignatureCurve } from "../crypto/curves.ts";
import { mayBeEdDsa } from "../crypto/eddsa-rules.ts";
import { KeyCache } from "../crypto/key-cache.ts";
import type { CipherSuite, KeyPair, SignatureCheck } from "../crypto/provider.ts";
import { checkedPrivateKey, checkPublicKey } from "../crypto/raw-keys.ts";
import { SuiteBase } from "../crypto/suite-base.ts";
import type { Aead, HashName, SuiteParameters } from "../crypto/suites.ts";
import { CryptoError } from "../errors.ts";
import { keyObjects } from "./key-objects.ts";
import { encapsulateMlKem768 } from "./ml-kem.ts";
import { randomBytes, view } from "./random.ts";

const TAG_LENGTH = 16;

function rawPrivate(curve: Curve, key: Uint8Array): KeyObject {
  const whole = checkedPrivateKey(curve, key);
  return imported("private", curve, () => keyObjects.importPrivate(curve, whole));
}

function rawPublic(curve: Curve, key: Uint8Array): KeyObject {
  checkPublicKey(curve, key);
  return imported("public", curve, () => keyObjects.importPublic(curve, key));
}

/** OpenSSL also refuses points that are not on their curve. */
function imported(kind: string, curve: Curve, create: () => KeyObject): KeyObject {
  try {
    return create();
  } catch (cause) {
    throw new CryptoError(`the bytes are no ${kind} key on ${curve}`, { cause });
  }
}

/** One cipher suite of RFC 9420 §17.1 on OpenSSL. */
export class OpenSslSuite extends SuiteBase implements CipherSuite {
  readonly randomBytes = randomBytes;
  readonly #aead: Aead["cipher"];
  readonly #hash: HashName;
  readonly #kem: KemCurve;
  readonly #signature: SignatureCurve;
  /** What OpenSSL hashes a message with before it signs: the suite's hash for ECDSA, nothing for EdDSA. */
  readonly #digest: HashName | null;
  /** Importing a raw key costs a good part of a verification, and the same few members sign most messages. */
  readonly #signatureKeys = new KeyCache<KeyObject>(1024);
  readonly #privateKeys = new KeyCache<KeyObject>(64);
  readonly encapsulateMlKem768 = encapsulateMlKem768;

  constructor(id: number, parameters: SuiteParameters) {
    super(id, parameters);
    this.#aead = parameters.aead.cipher;
    this.#hash = parameters.hash;
    this.#kem = parameters.kem;
    this.#signature = parameters.signature;
    this.#digest = isEdwards(parameters.signature) ? null : parameters.hash;
  }

  hash(data: Uint8Array): Uint8Array {
    return view(hash(this.#hash, data, "buffer"));
  }

  hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
    return view(createHmac(this.#hash, key).update(data).digest());
  }

  aeadSeal(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    this.checkAeadSizes(key, nonce);
    const cipher = createCipheriv(this.#aead as "chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
    cipher.setAAD(additionalData, { plaintextLength: plaintext.length });
    const sealed = new Uint8Array(plaintext.length + TAG_LENGTH);
    sealed.set(cipher.update(plaintext), 0);
    cipher.final();
    sealed.set(cipher.getAuthTag(), plaintext.length);
    return sealed;
  }

  aeadOpen(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    this.checkAeadSizes(key, nonce);
    const length = ciphertext.length - TAG_LENGTH;
    if (length < 0) throw new CryptoError("a ciphertext is shorter than its tag");
    try {
      const decipher = createDecipheriv(this.#aead as "chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
      decipher.setAAD(additionalData, { plaintextLength: length });
      decipher.setAuthTag(ciphertext.subarray(length));
      const plaintext = decipher.update(ciphertext.subarray(0, length));
      decipher.final();
      return view(plaintext);
    } catch (cause) {
      throw new CryptoError("a ciphertext did not open: it was changed, or it is for another key", { cause });
    }
  }

  async generateSignatureKeyPair(): Promise<KeyPair> {
    const privateKey = generatePrivateKey(this.#signature);
    return {
      privateKey: keyObjects.exportPrivate(this.#signature, privateKey),
      publicKey: keyObjects.exportPublic(this.#signature, privateKey),
    };
  }

  async signaturePublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return keyObjects.exportPublic(this.#signature, rawPrivate(this.#signature, privateKey));
  }

  async sign(privateKey: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
    const key = this.#privateKeys.get(bytesKey(privateKey), () => rawPrivate(this.#signature, privateKey));
    return view(sign(this.#digest, message, key));
  }

  async verify(check: SignatureCheck): Promise<boolean> {
    const key = this.#verificationKey(check, true);
    return key !== undefined && verify(this.#digest, check.message, key, check.signature);
  }

  /** Runs on libuv's thread pool, so a large batch uses every core that the pool has. */
  async verifyBatch(checks: readonly SignatureCheck[]): Promise<boolean[]> {
    const only = checks[0];
    if (checks.length === 1 && only !== undefined) return [await this.verify(only)];
    // Keys of a whole tree would only push out those of active members.
    const remember = checks.length <= 16;
    return Promise.all(checks.map((check) => this.#verifyOnPool(check, remember)));
  }

  async dhPublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return keyObjects.exportPublic(this.#kem, rawPrivate(this.#kem, privateKey));
  }

  async dh(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
    const own = rawPrivate(this.#kem, privateKey);
    const other = rawPublic(this.#kem, publicKey);
    try {
      return view(diffieHellman({ privateKey: own, publicKey: other }));
    } catch (cause) {
      // OpenSSL refuses the all-zero result that a low-order public key gives.
      throw new CryptoError("a public key is of low order and gives no shared secret", { cause });
    }
  }

  #verifyOnPool(check: SignatureCheck, remember: boolean): Promise<boolean> {
    const key = this.#verificationKey(check, remember);
    if (key === undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      verify(this.#digest, check.message, key, check.signature, (error, valid) => {
        resolve(error === null && valid);
      });
    });
  }

  /** The key to verify with; undefined for a malformed key or a signature that cannot be one. */
  #verificationKey({ publicKey, signature }: SignatureCheck, remember: boolean): KeyObject | undefined {
    const curve = this.#signature;
    if (isEdwards(curve) && !mayBeEdDsa(curve, publicKey, signature)) return undefined;
    const create = () => rawPublic(curve, publicKey);
    try {
      return remember ? this.#signatureKeys.get(bytesKey(publicKey), create) : create();
    } catch {
      return undefined;
    }
  }
}

function generatePrivateKey(curve: Curve): KeyObject {
  const { namedCurve } = CURVES[curve];
  if (namedCurve !== undefined) return generateKeyPairSync("ec", { namedCurve }).privateKey;
  // The overloads of generateKeyPairSync take one literal each; both give the same type.
  return generateKeyPairSync(curve as "ed25519").privateKey;
}
