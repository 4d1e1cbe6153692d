import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hash,
  randomBytes,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { bytesKey } from "../bytes.ts";
import type { CipherSuite, KeyPair, SignatureCheck } from "../crypto/provider.ts";
import { CryptoError } from "../errors.ts";
import { KeyObjectCache } from "./key-object-cache.ts";
import {
  CURVES,
  HASHES,
  type Aead,
  type Curve,
  type CurveFacts,
  type HashName,
  type KemCurve,
  type SuiteParameters,
} from "./parameters.ts";

const TAG_LENGTH = 16;

function rawPrivate(curve: Curve, key: Uint8Array): KeyObject {
  const { privateKeyLength, keyType, namedCurve }: CurveFacts = CURVES[curve];
  // Others store scalars as numbers, without their leading zeros.
  const whole = keyType === "ec" && key.length < privateKeyLength ? padded(key, privateKeyLength) : key;
  if (whole.length !== privateKeyLength) {
    throw new CryptoError(`a ${curve} private key has ${key.length} bytes, not ${privateKeyLength}`);
  }
  return imported("private", curve, () =>
    createPrivateKey({ key: whole, format: "raw-private", asymmetricKeyType: keyType, namedCurve }),
  );
}

function padded(scalar: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(scalar, length - scalar.length);
  return bytes;
}

function rawPublic(curve: Curve, key: Uint8Array): KeyObject {
  const { publicKeyLength, keyType, namedCurve }: CurveFacts = CURVES[curve];
  if (key.length !== publicKeyLength) {
    throw new CryptoError(`a ${curve} public key has ${key.length} bytes, not ${publicKeyLength}`);
  }
  return imported("public", curve, () =>
    createPublicKey({ key, format: "raw-public", asymmetricKeyType: keyType, namedCurve }),
  );
}

/** OpenSSL also refuses points that are not on their curve, and scalars out of range. */
function imported(kind: string, curve: Curve, create: () => KeyObject): KeyObject {
  try {
    return create();
  } catch (cause) {
    throw new CryptoError(`the bytes are no ${kind} key on ${curve}`, { cause });
  }
}

function exportPublic(key: KeyObject): Uint8Array {
  return view(createPublicKey(key).export({ format: "raw-public" }));
}

/** A plain Uint8Array over the same memory, so that no caller depends on Buffer's own methods. */
function view(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** One cipher suite of RFC 9420 §17.1 on OpenSSL. */
export class OpenSslSuite implements CipherSuite {
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
  readonly #aead: Aead["cipher"];
  readonly #hash: HashName;
  readonly #kem: KemCurve;
  readonly #signature: Curve;
  /** What OpenSSL hashes a message with before it signs: the suite's hash for ECDSA, nothing for EdDSA. */
  readonly #digest: HashName | null;
  /** Importing a raw key costs a good part of a verification, and the same few members sign most messages. */
  readonly #signatureKeys = new KeyObjectCache(1024);
  readonly #privateKeys = new KeyObjectCache(64);

  constructor(id: number, parameters: SuiteParameters) {
    const { kem, hash: hashName, aead, signature } = parameters;
    this.id = id;
    this.kemId = CURVES[kem].kemId;
    this.kdfId = HASHES[hashName].kdfId;
    this.hashLength = HASHES[hashName].length;
    this.aeadId = aead.id;
    this.aeadKeyLength = aead.keyLength;
    this.hpkePublicKeyLength = CURVES[kem].publicKeyLength;
    this.hpkePrivateKeyLength = CURVES[kem].privateKeyLength;
    this.scalarRange = CURVES[kem].scalarRange;
    this.#aead = aead.cipher;
    this.#hash = hashName;
    this.#kem = kem;
    this.#signature = signature;
    this.#digest = CURVES[signature].namedCurve === undefined ? null : hashName;
  }

  randomBytes(length: number): Uint8Array {
    return view(randomBytes(length));
  }

  hash(data: Uint8Array): Uint8Array {
    return view(hash(this.#hash, data, "buffer"));
  }

  hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
    return view(createHmac(this.#hash, key).update(data).digest());
  }

  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array {
    return this.hmac(salt, inputKeyMaterial);
  }

  /** HKDF-Expand (RFC 5869 §2.3). One HMAC per hash length; `hkdfSync` would extract again. */
  hkdfExpand(pseudoRandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    if (length > 255 * this.hashLength) throw new CryptoError(`HKDF cannot expand to ${length} bytes`);
    const output = new Uint8Array(length);
    let previous: Uint8Array = new Uint8Array(0);
    for (let offset = 0, counter = 1; offset < length; offset += this.hashLength, counter++) {
      const mac = createHmac(this.#hash, pseudoRandomKey);
      previous = mac.update(previous).update(info).update(Uint8Array.of(counter)).digest();
      output.set(previous.subarray(0, Math.min(this.hashLength, length - offset)), offset);
    }
    return output;
  }

  aeadSeal(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const cipher = createCipheriv(this.#aead as "chacha20-poly1305", key, nonce, { authTagLength: TAG_LENGTH });
    cipher.setAAD(additionalData, { plaintextLength: plaintext.length });
    const sealed = new Uint8Array(plaintext.length + TAG_LENGTH);
    sealed.set(cipher.update(plaintext), 0);
    cipher.final();
    sealed.set(cipher.getAuthTag(), plaintext.length);
    return sealed;
  }

  aeadOpen(key: Uint8Array, nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array {
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
    return { privateKey: view(privateKey.export({ format: "raw-private" })), publicKey: exportPublic(privateKey) };
  }

  async signaturePublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return exportPublic(rawPrivate(this.#signature, privateKey));
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
    return exportPublic(rawPrivate(this.#kem, privateKey));
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
    const { signatureLength }: CurveFacts = CURVES[this.#signature];
    if (signatureLength !== undefined && signature.length !== signatureLength) return undefined;
    const create = () => rawPublic(this.#signature, publicKey);
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
