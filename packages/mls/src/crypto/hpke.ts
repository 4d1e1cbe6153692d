import { concatBytes, toHex, utf8 } from "../bytes.ts";
import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import { CryptoError } from "../errors.ts";
import type { CipherSuite, KeyPair } from "./provider.ts";

/** HPKECiphertext (RFC 9420 §7.6). */
export interface HpkeCiphertext {
  readonly kemOutput: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export function encodeHpkeCiphertext(writer: Writer, value: HpkeCiphertext): void {
  writer.opaque(value.kemOutput);
  writer.opaque(value.ciphertext);
}

export function decodeHpkeCiphertext(reader: Reader): HpkeCiphertext {
  return { kemOutput: reader.opaque(), ciphertext: reader.opaque() };
}

const EMPTY = new Uint8Array(0);
const VERSION = utf8("HPKE-v1");

function u16Bytes(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint16(2 * index, value));
  return bytes;
}

function labeledExtract(suite: CipherSuite, suiteId: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array) {
  return suite.hkdfExtract(salt, concatBytes(VERSION, suiteId, utf8(label), ikm));
}

function labeledExpand(
  suite: CipherSuite,
  suiteId: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
) {
  return suite.hkdfExpand(prk, concatBytes(u16Bytes(length), VERSION, suiteId, utf8(label), info), length);
}

function kemSuiteId(suite: CipherSuite): Uint8Array {
  return concatBytes(utf8("KEM"), u16Bytes(suite.kemId));
}

/** Tries before a candidate below the order must have come; one fails with a chance below 2^-32 (RFC 9180 §7.1.3). */
const MAX_CANDIDATES = 256;

/** DeriveKeyPair (RFC 9180 §7.1.3). Deterministic: tree keys come from path secrets through it. */
export async function deriveHpkeKeyPair(suite: CipherSuite, inputKeyMaterial: Uint8Array): Promise<KeyPair> {
  const suiteId = kemSuiteId(suite);
  const prk = labeledExtract(suite, suiteId, EMPTY, "dkp_prk", inputKeyMaterial);
  const privateKey =
    suite.scalarRange === undefined ? bytesAsKey(suite, prk) : scalarAsKey(suite, prk, suite.scalarRange);
  return { privateKey, publicKey: await suite.dhPublicKey(privateKey) };
}

function bytesAsKey(suite: CipherSuite, prk: Uint8Array): Uint8Array {
  return labeledExpand(suite, kemSuiteId(suite), prk, "sk", EMPTY, suite.hpkePrivateKeyLength);
}

function scalarAsKey(suite: CipherSuite, prk: Uint8Array, range: NonNullable<CipherSuite["scalarRange"]>): Uint8Array {
  for (let counter = 0; counter < MAX_CANDIDATES; counter++) {
    const info = Uint8Array.of(counter);
    const bytes = labeledExpand(suite, kemSuiteId(suite), prk, "candidate", info, suite.hpkePrivateKeyLength);
    bytes[0] = (bytes[0] ?? 0) & range.bitmask;
    const scalar = BigInt(`0x${toHex(bytes)}`);
    if (scalar > 0n && scalar < range.order) return bytes;
  }
  throw new CryptoError("no private key could be derived");
}

/** A fresh HPKE key pair. */
export async function generateHpkeKeyPair(suite: CipherSuite): Promise<KeyPair> {
  return deriveHpkeKeyPair(suite, suite.randomBytes(suite.hpkePrivateKeyLength));
}

/**
 * True for a public key that something can be encrypted to: of the suite's length, on its curve, and not of low order.
 * Costs one Diffie-Hellman.
 */
export async function isHpkePublicKey(suite: CipherSuite, publicKey: Uint8Array): Promise<boolean> {
  // Any scalar does; this one is below the order of every curve.
  const privateKey = new Uint8Array(suite.hpkePrivateKeyLength).fill(1);
  try {
    await suite.dh(privateKey, publicKey);
    return true;
  } catch (error) {
    if (error instanceof CryptoError) return false;
    throw error;
  }
}

function kemSharedSecret(suite: CipherSuite, dh: Uint8Array, kemOutput: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const suiteId = kemSuiteId(suite);
  const prk = labeledExtract(suite, suiteId, EMPTY, "eae_prk", dh);
  return labeledExpand(suite, suiteId, prk, "shared_secret", concatBytes(kemOutput, publicKey), suite.hashLength);
}

/**
 * An HPKE encryption context in base mode (RFC 9180 §5.2): each seal or open uses the next sequence number. The shared
 * secret may come from a KEM other than the suite's, whose id is given then.
 */
export class HpkeContext {
  readonly #suite: CipherSuite;
  readonly #suiteId: Uint8Array;
  readonly #key: Uint8Array;
  readonly #baseNonce: Uint8Array;
  readonly #exporterSecret: Uint8Array;
  #sequence = 0;

  constructor(suite: CipherSuite, sharedSecret: Uint8Array, info: Uint8Array, kemId: number = suite.kemId) {
    this.#suite = suite;
    const suiteId = concatBytes(utf8("HPKE"), u16Bytes(kemId, suite.kdfId, suite.aeadId));
    this.#suiteId = suiteId;
    const pskIdHash = labeledExtract(suite, suiteId, EMPTY, "psk_id_hash", EMPTY);
    const infoHash = labeledExtract(suite, suiteId, EMPTY, "info_hash", info);
    const context = concatBytes(Uint8Array.of(0), pskIdHash, infoHash);
    const secret = labeledExtract(suite, suiteId, sharedSecret, "secret", EMPTY);
    this.#key = labeledExpand(suite, suiteId, secret, "key", context, suite.aeadKeyLength);
    this.#baseNonce = labeledExpand(suite, suiteId, secret, "base_nonce", context, suite.aeadNonceLength);
    this.#exporterSecret = labeledExpand(suite, suiteId, secret, "exp", context, suite.hashLength);
  }

  /** Ciphertext and 16-byte tag under the next nonce. */
  seal(additionalData: Uint8Array, plaintext: Uint8Array): Uint8Array {
    return this.#suite.aeadSeal(this.#key, this.#nextNonce(), additionalData, plaintext);
  }

  /** Throws CryptoError when the ciphertext is not the next one of this context. */
  open(additionalData: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    return this.#suite.aeadOpen(this.#key, this.#nextNonce(), additionalData, ciphertext);
  }

  /** Context.Export (RFC 9180 §5.3). */
  export(exporterContext: Uint8Array, length: number): Uint8Array {
    return labeledExpand(this.#suite, this.#suiteId, this.#exporterSecret, "sec", exporterContext, length);
  }

  #nextNonce(): Uint8Array {
    // A context lives for one message of two or three parts; 2^31 is far out of reach and keeps the arithmetic exact.
    if (this.#sequence >= 0x7fffffff) throw new CryptoError("an HPKE context is used up");
    const nonce = this.#baseNonce.slice();
    const view = new DataView(nonce.buffer);
    view.setUint32(nonce.length - 4, (view.getUint32(nonce.length - 4) ^ this.#sequence) >>> 0);
    this.#sequence++;
    return nonce;
  }
}

/** SetupBaseS (RFC 9180 §5.1.1) with a fresh ephemeral key. */
export async function hpkeSetupSender(
  suite: CipherSuite,
  publicKey: Uint8Array,
  info: Uint8Array,
): Promise<{ kemOutput: Uint8Array; context: HpkeContext }> {
  const ephemeral = await generateHpkeKeyPair(suite);
  const dh = await suite.dh(ephemeral.privateKey, publicKey);
  const sharedSecret = kemSharedSecret(suite, dh, ephemeral.publicKey, publicKey);
  return { kemOutput: ephemeral.publicKey, context: new HpkeContext(suite, sharedSecret, info) };
}

/** SetupBaseR (RFC 9180 §5.1.1); throws CryptoError for a malformed `kemOutput`. */
export async function hpkeSetupReceiver(
  suite: CipherSuite,
  kemOutput: Uint8Array,
  keyPair: KeyPair,
  info: Uint8Array,
): Promise<HpkeContext> {
  const dh = await suite.dh(keyPair.privateKey, kemOutput);
  return new HpkeContext(suite, kemSharedSecret(suite, dh, kemOutput, keyPair.publicKey), info);
}

/** One-shot base mode (RFC 9180 §6.1). */
export async function hpkeSeal(
  suite: CipherSuite,
  publicKey: Uint8Array,
  info: Uint8Array,
  additionalData: Uint8Array,
  plaintext: Uint8Array,
): Promise<HpkeCiphertext> {
  const { kemOutput, context } = await hpkeSetupSender(suite, publicKey, info);
  return { kemOutput, ciphertext: context.seal(additionalData, plaintext) };
}

/** One-shot base mode (RFC 9180 §6.1); throws CryptoError when it does not open. */
export async function hpkeOpen(
  suite: CipherSuite,
  keyPair: KeyPair,
  info: Uint8Array,
  additionalData: Uint8Array,
  ciphertext: HpkeCiphertext,
): Promise<Uint8Array> {
  const context = await hpkeSetupReceiver(suite, ciphertext.kemOutput, keyPair, info);
  return context.open(additionalData, ciphertext.ciphertext);
}
