import { CryptoError, hpkeOpen, hpkeSeal, hpkeSetupReceiver, hpkeSetupSender } from "@latchkey/mls";
import { deriveHpkeKeyPair, equalBytes, generateHpkeKeyPair, type CipherSuite, type KeyPair } from "@latchkey/mls";
import { webCrypto } from "@latchkey/mls/web";
import { getCiphersuiteImpl, type CiphersuiteImpl, type Hpke, type PrivateKey, type PublicKey } from "ts-mls";

const EMPTY = new Uint8Array(0);

/** ts-mls never looks into keys of its provider, it only hands them back. */
const publicKeys = new WeakMap<PublicKey, Uint8Array>();
const privateKeys = new WeakMap<PrivateKey, KeyPair>();

function publicHandle(publicKey: Uint8Array): PublicKey {
  const handle = {} as PublicKey;
  publicKeys.set(handle, publicKey);
  return handle;
}

function privateHandle(keyPair: KeyPair): PrivateKey {
  const handle = {} as PrivateKey;
  privateKeys.set(handle, keyPair);
  return handle;
}

function held<K extends object, V>(keys: WeakMap<K, V>, handle: K): V {
  const found = keys.get(handle);
  if (found === undefined) throw new CryptoError("the key is not of this provider");
  return found;
}

function hpkeOf(suite: CipherSuite): Hpke {
  const handles = (pair: KeyPair) => ({ privateKey: privateHandle(pair), publicKey: publicHandle(pair.publicKey) });
  return {
    open: async (key, kemOutput, ciphertext, info, aad = EMPTY) =>
      hpkeOpen(suite, held(privateKeys, key), info, aad, { kemOutput, ciphertext }),
    seal: async (key, plaintext, info, aad = EMPTY) => {
      const sealed = await hpkeSeal(suite, held(publicKeys, key), info, aad, plaintext);
      return { ct: sealed.ciphertext, enc: sealed.kemOutput };
    },
    importPrivateKey: async (privateKey) =>
      privateHandle({ privateKey, publicKey: await suite.dhPublicKey(privateKey) }),
    importPublicKey: async (key) => publicHandle(key),
    exportPublicKey: async (key) => held(publicKeys, key),
    exportPrivateKey: async (key) => held(privateKeys, key).privateKey,
    encryptAead: async (key, nonce, aad = EMPTY, plaintext) => suite.aeadSeal(key, nonce, aad, plaintext),
    decryptAead: async (key, nonce, aad = EMPTY, ciphertext) => suite.aeadOpen(key, nonce, aad, ciphertext),
    exportSecret: async (key, exporterContext, length, info) => {
      const { kemOutput, context } = await hpkeSetupSender(suite, held(publicKeys, key), info);
      return { enc: kemOutput, secret: context.export(exporterContext, length) };
    },
    importSecret: async (key, exporterContext, kemOutput, length, info) => {
      const context = await hpkeSetupReceiver(suite, kemOutput, held(privateKeys, key), info);
      return context.export(exporterContext, length);
    },
    deriveKeyPair: async (ikm) => handles(await deriveHpkeKeyPair(suite, ikm)),
    generateKeyPair: async () => handles(await generateHpkeKeyPair(suite)),
    keyLength: suite.aeadKeyLength,
    nonceLength: suite.aeadNonceLength,
  };
}

function implOf(suite: CipherSuite): CiphersuiteImpl {
  return {
    id: suite.id,
    hash: {
      digest: async (data) => suite.hash(data),
      mac: async (key, data) => suite.hmac(key, data),
      verifyMac: async (key, mac, data) => equalBytes(mac, suite.hmac(key, data)),
    },
    hpke: hpkeOf(suite),
    signature: {
      sign: (key, message) => suite.sign(key, message),
      verify: (publicKey, message, signature) => suite.verify({ publicKey, message, signature }),
      keygen: async () => {
        const { privateKey, publicKey } = await suite.generateSignatureKeyPair();
        return { signKey: privateKey, publicKey };
      },
    },
    kdf: {
      extract: async (salt, ikm) => suite.hkdfExtract(salt, ikm),
      expand: async (prk, info, length) => suite.hkdfExpand(prk, info, length),
      size: suite.hashLength,
    },
    rng: { randomBytes: (length) => suite.randomBytes(length) },
  };
}

/**
 * The primitives that ts-mls runs on: its own for suite 1. For suites 2 and 3 it needs packages that are not installed
 * (and makes compressed P-256 keys, which RFC 9420 §5.1.1 does not have), so it gets those of `@latchkey/mls/web`, while
 * Latchkey runs on Node's. The protocol above them stays ts-mls's own.
 */
export async function tsMlsSuite(cipherSuite: number): Promise<CiphersuiteImpl> {
  if (cipherSuite === 1) return getCiphersuiteImpl("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519");
  return implOf(webCrypto.suite(cipherSuite));
}
