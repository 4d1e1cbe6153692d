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
import { CryptoError } from "../errors.ts";
import { KeyObjectCache } from "./key-object-cache.ts";
import type { CipherSuite, KeyPair, SignatureCheck } from "../crypto/provider.ts";

const KEY_LENGTH = 32;
const SIGNATURE_LENGTH = 64;
const TAG_LENGTH = 16;

type AeadName = "aes-128-gcm" | "chacha20-poly1305";
type Curve = "x25519" | "ed25519";

function rawPrivate(curve: Curve, key: Uint8Array): KeyObject {
  if (key.length !== KEY_LENGTH) throw new CryptoError(`a ${curve} private key has ${key.length} bytes, not 32`);
  return createPrivateKey({ key, format: "raw-private", asymmetricKeyType: curve });
}

function rawPublic(curve: Curve, key: Uint8Array): KeyObject {
  if (key.length !== KEY_LENGTH) throw new CryptoError(`a ${curve} public key has ${key.length} bytes, not 32`);
  return createPublicKey({ key, format: "raw-public", asymmetricKeyType: curve });
}

function exportPublic(key: KeyObject): Uint8Array {
  return view(createPublicKey(key).export({ format: "raw-public" }));
}

/** A plain Uint8Array over the same memory, so that no caller depends on Buffer's own methods. */
function view(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** DHKEM(X25519), HKDF-SHA256, Ed25519 and one AEAD, on OpenSSL. */
export class X25519Ed25519Suite implements CipherSuite {
  readonly id: number;
  readonly kemId = 0x0020;
  readonly kdfId = 0x0001;
  readonly aeadId: number;
  readonly hashLength = 32;
  readonly aeadKeyLength: number;
  readonly aeadNonceLength = 12;
  readonly hpkePublicKeyLength = KEY_LENGTH;
  readonly hpkePrivateKeyLength = KEY_LENGTH;
  readonly #aead: AeadName;
  /** Importing a raw key costs a good part of a verification, and the same few members sign most messages. */
  readonly #signatureKeys = new KeyObjectCache(1024);
  readonly #privateKeys = new KeyObjectCache(64);

  constructor(id: number, aead: AeadName) {
    this.id = id;
    this.#aead = aead;
    this.aeadId = aead === "aes-128-gcm" ? 0x0001 : 0x0003;
    this.aeadKeyLength = aead === "aes-128-gcm" ? 16 : 32;
  }

  randomBytes(length: number): Uint8Array {
    return view(randomBytes(length));
  }

  hash(data: Uint8Array): Uint8Array {
    return view(hash("sha256", data, "buffer"));
  }

  hmac(key: Uint8Array, data: Uint8Array): Uint8Array {
    return view(createHmac("sha256", key).update(data).digest());
  }

  hkdfExtract(salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array {
    return this.hmac(salt, inputKeyMaterial);
  }

  /** HKDF-Expand (RFC 5869 §2.3). One HMAC per 32 bytes; `hkdfSync` would extract again. */
  hkdfExpand(pseudoRandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
    if (length > 255 * this.hashLength) throw new CryptoError(`HKDF cannot expand to ${length} bytes`);
    const output = new Uint8Array(length);
    let previous: Uint8Array = new Uint8Array(0);
    for (let offset = 0, counter = 1; offset < length; offset += this.hashLength, counter++) {
      const mac = createHmac("sha256", pseudoRandomKey);
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
    const { privateKey } = generateKeyPairSync("ed25519");
    return { privateKey: view(privateKey.export({ format: "raw-private" })), publicKey: exportPublic(privateKey) };
  }

  async signaturePublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
    return exportPublic(rawPrivate("ed25519", privateKey));
  }

  async sign(privateKey: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
    const key = this.#privateKeys.get(bytesKey(privateKey), () => rawPrivate("ed25519", privateKey));
    return view(sign(null, message, key));
  }

  async verify(check: SignatureCheck): Promise<boolean> {
    const key = this.#verificationKey(check.publicKey, true);
    if (key === undefined || check.signature.length !== SIGNATURE_LENGTH) return false;
    return verify(null, check.message, key, check.signature);
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
    return exportPublic(rawPrivate("x25519", privateKey));
  }

  async dh(privateKey: Uint8Array, publicKey: Uint8Array): Promise<Uint8Array> {
    const own = rawPrivate("x25519", privateKey);
    const other = rawPublic("x25519", publicKey);
    try {
      return view(diffieHellman({ privateKey: own, publicKey: other }));
    } catch (cause) {
      // OpenSSL refuses the all-zero result that a low-order public key gives.
      throw new CryptoError("a public key is of low order and gives no shared secret", { cause });
    }
  }

  #verifyOnPool(check: SignatureCheck, remember: boolean): Promise<boolean> {
    const key = this.#verificationKey(check.publicKey, remember);
    if (key === undefined || check.signature.length !== SIGNATURE_LENGTH) return Promise.resolve(false);
    return new Promise((resolve) => {
      verify(null, check.message, key, check.signature, (error, valid) => {
        resolve(error === null && valid);
      });
    });
  }

  #verificationKey(publicKey: Uint8Array, remember: boolean): KeyObject | undefined {
    if (publicKey.length !== KEY_LENGTH) return undefined;
    const create = () => rawPublic("ed25519", publicKey);
    try {
      return remember ? this.#signatureKeys.get(bytesKey(publicKey), create) : create();
    } catch {
      return undefined;
    }
  }
}
