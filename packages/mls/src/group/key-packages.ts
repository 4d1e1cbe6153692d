import { decodeExact } from "../codec/reader.ts";
import { encode } from "../codec/writer.ts";
import { generateHpkeKeyPair } from "../crypto/hpke.ts";
import { keyPackageRef, signWithLabel } from "../crypto/labels.ts";
import type { CryptoProvider } from "../crypto/provider.ts";
import { DecodeError, ValidationError } from "../errors.ts";
import type { Extension } from "../messages/extension.ts";
import {
  decodeKeyPackage,
  encodeKeyPackage,
  keyPackageToBeSigned,
  PROTOCOL_VERSION_MLS10,
  type KeyPackage,
} from "../messages/key-package.ts";
import { signLeafNode, type Lifetime } from "../messages/leaf-node.ts";
import { checkLeafCapabilities, NO_REQUIREMENTS } from "../tree/leaf-rules.ts";
import { checkKeyPackage } from "./apply-proposals.ts";
import type { LeafParameters } from "./build-commit.ts";
import type { SigningIdentity } from "./config.ts";
import { verifyPublicKeys, verifySignatures } from "./protect.ts";

/** A key package with its private keys: secret, kept until a Welcome used it. */
export interface KeyPackageBundle {
  readonly keyPackage: KeyPackage;
  /** TLS KeyPackage, without an MLSMessage around it. */
  readonly bytes: Uint8Array;
  /** KeyPackageRef (RFC 9420 §5.2). */
  readonly reference: Uint8Array;
  readonly initPrivateKey: Uint8Array;
  readonly encryptionPrivateKey: Uint8Array;
}

/** Options of a new key package. */
export interface KeyPackageOptions {
  readonly cipherSuite: number;
  readonly leaf: LeafParameters;
  readonly lifetime: Lifetime;
  readonly extensions?: readonly Extension[];
}

/** Makes a key package with fresh init and encryption keys (RFC 9420 §10). */
export async function createKeyPackage(
  config: { readonly crypto: CryptoProvider; readonly identity: SigningIdentity },
  options: KeyPackageOptions,
): Promise<KeyPackageBundle> {
  const suite = config.crypto.suite(options.cipherSuite);
  const { credential, signatureKeyPair } = config.identity;
  const [init, encryption] = await Promise.all([generateHpkeKeyPair(suite), generateHpkeKeyPair(suite)]);
  const leafNode = await signLeafNode(suite, signatureKeyPair.privateKey, {
    encryptionKey: encryption.publicKey,
    signatureKey: signatureKeyPair.publicKey,
    credential,
    capabilities: options.leaf.capabilities,
    source: { kind: "key_package", lifetime: options.lifetime },
    extensions: options.leaf.extensions,
  });
  const unsigned: Omit<KeyPackage, "signature"> = {
    version: PROTOCOL_VERSION_MLS10,
    cipherSuite: suite.id,
    initKey: init.publicKey,
    leafNode,
    extensions: options.extensions ?? [],
  };
  const content = keyPackageToBeSigned(unsigned);
  const signature = await signWithLabel(suite, signatureKeyPair.privateKey, "KeyPackageTBS", content);
  const keyPackage = { ...unsigned, signature };
  return keyPackageBundle(config.crypto, keyPackage, init.privateKey, encryption.privateKey);
}

/** A bundle from a key package and its private keys. */
export function keyPackageBundle(
  crypto: CryptoProvider,
  keyPackage: KeyPackage,
  initPrivateKey: Uint8Array,
  encryptionPrivateKey: Uint8Array,
): KeyPackageBundle {
  const bytes = encode(keyPackage, encodeKeyPackage);
  const reference = keyPackageRef(crypto.suite(keyPackage.cipherSuite), bytes);
  return { keyPackage, bytes, reference, initPrivateKey, encryptionPrivateKey };
}

/** Storage form of a bundle. It holds private keys. */
export function encodeKeyPackageBundle(bundle: KeyPackageBundle): Uint8Array {
  return encode(bundle, (writer, value) => {
    writer.opaque(value.bytes);
    writer.opaque(value.reference);
    writer.opaque(value.initPrivateKey);
    writer.opaque(value.encryptionPrivateKey);
  });
}

/** Reads what `encodeKeyPackageBundle` wrote; throws DecodeError. */
export function decodeKeyPackageBundle(encoded: Uint8Array): KeyPackageBundle {
  return decodeExact(encoded, (reader) => {
    const bytes = reader.opaque();
    return {
      keyPackage: decodeExact(bytes, decodeKeyPackage),
      bytes,
      reference: reader.opaque(),
      initPrivateKey: reader.opaque(),
      encryptionPrivateKey: reader.opaque(),
    };
  });
}

/**
 * Verifies a received TLS KeyPackage (RFC 9420 §10.1): version, suite, leaf source, distinct keys, self-consistent
 * capabilities, usable keys, both signatures, and its lifetime: that it has begun and not ended when `nowSeconds` (since
 * 1970) is given, and its length when `lifetimeMaxSeconds` is (§7.2).
 * Throws DecodeError or ValidationError.
 */
export async function verifyKeyPackage(
  crypto: CryptoProvider,
  bytes: Uint8Array,
  expected: { readonly cipherSuite: number; readonly nowSeconds?: bigint; readonly lifetimeMaxSeconds?: bigint },
): Promise<KeyPackage> {
  const keyPackage = decodeExact(bytes, decodeKeyPackage);
  const checks = checkKeyPackage(keyPackage, PROTOCOL_VERSION_MLS10, expected.cipherSuite);
  const { leafNode } = keyPackage;
  checkLeafCapabilities(leafNode, NO_REQUIREMENTS);
  if (leafNode.source.kind !== "key_package") throw new DecodeError("a key package holds a leaf of another source");
  const { notBefore, notAfter } = leafNode.source.lifetime;
  const now = expected.nowSeconds;
  if (now !== undefined && (now < notBefore || now > notAfter)) {
    throw new ValidationError("lifetime", "the key package is not valid yet or not any more");
  }
  if (expected.lifetimeMaxSeconds !== undefined && notAfter - notBefore > expected.lifetimeMaxSeconds) {
    throw new ValidationError("lifetime", "the key package claims to be valid for longer than is accepted");
  }
  const suite = crypto.suite(expected.cipherSuite);
  await verifySignatures({ suite }, checks);
  await verifyPublicKeys({ suite }, [keyPackage.initKey, leafNode.encryptionKey]);
  return keyPackage;
}
