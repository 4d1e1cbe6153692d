import { varintLength } from "../codec/varint.ts";
import { Writer } from "../codec/writer.ts";
import { utf8 } from "../bytes.ts";
import type { CipherSuite, KeyPair, SignatureCheck } from "./provider.ts";
import { hpkeOpen, hpkeSeal, type HpkeCiphertext } from "./hpke.ts";

const EMPTY = new Uint8Array(0);

const labelCache = new Map<string, Uint8Array>();

/** `"MLS 1.0 " + label`; the labels are a small fixed set, so their bytes are made once. */
function prefixedLabel(label: string): Uint8Array {
  let bytes = labelCache.get(label);
  if (bytes === undefined) {
    bytes = utf8(`MLS 1.0 ${label}`);
    if (labelCache.size < 64) labelCache.set(label, bytes);
  }
  return bytes;
}

function labelled(label: string, content: Uint8Array): Uint8Array {
  const prefixed = prefixedLabel(label);
  const lengths = varintLength(prefixed.length) + varintLength(content.length);
  // As long as what is written, so that nothing is copied in the end: a join makes one for every leaf.
  const writer = new Writer(lengths + prefixed.length + content.length);
  writer.opaque(prefixed);
  writer.opaque(content);
  return writer.finish();
}

/** ExpandWithLabel (RFC 9420 §8): `length` bytes bound to a label and a context. */
export function expandWithLabel(
  suite: CipherSuite,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const writer = new Writer();
  writer.u16(length);
  writer.opaque(prefixedLabel(label));
  writer.opaque(context);
  return suite.hkdfExpand(secret, writer.finish(), length);
}

/** DeriveSecret (RFC 9420 §8): a secret of hash length, with an empty context. */
export function deriveSecret(suite: CipherSuite, secret: Uint8Array, label: string): Uint8Array {
  return expandWithLabel(suite, secret, label, EMPTY, suite.hashLength);
}

/** DeriveTreeSecret (RFC 9420 §9): a secret bound to a generation of a ratchet. */
export function deriveTreeSecret(
  suite: CipherSuite,
  secret: Uint8Array,
  label: string,
  generation: number,
  length: number,
): Uint8Array {
  const context = new Uint8Array(4);
  new DataView(context.buffer).setUint32(0, generation);
  return expandWithLabel(suite, secret, label, context, length);
}

/** RefHash (RFC 9420 §5.2). */
export function refHash(suite: CipherSuite, label: string, value: Uint8Array): Uint8Array {
  const writer = new Writer();
  writer.opaque(utf8(label));
  writer.opaque(value);
  return suite.hash(writer.finish());
}

/** KeyPackageRef of the TLS encoding of a KeyPackage (RFC 9420 §5.2). */
export function keyPackageRef(suite: CipherSuite, keyPackage: Uint8Array): Uint8Array {
  return refHash(suite, "MLS 1.0 KeyPackage Reference", keyPackage);
}

/** ProposalRef of the TLS encoding of an AuthenticatedContent (RFC 9420 §5.2). */
export function proposalRef(suite: CipherSuite, authenticatedContent: Uint8Array): Uint8Array {
  return refHash(suite, "MLS 1.0 Proposal Reference", authenticatedContent);
}

/** SignWithLabel (RFC 9420 §5.1.2). */
export async function signWithLabel(
  suite: CipherSuite,
  privateKey: Uint8Array,
  label: string,
  content: Uint8Array,
): Promise<Uint8Array> {
  return suite.sign(privateKey, labelled(label, content));
}

/** The check that VerifyWithLabel (RFC 9420 §5.1.2) makes, ready for a batch. */
export function labelledCheck(
  publicKey: Uint8Array,
  label: string,
  content: Uint8Array,
  signature: Uint8Array,
): SignatureCheck {
  return { publicKey, message: labelled(label, content), signature };
}

/** EncryptWithLabel (RFC 9420 §5.1.3). */
export async function encryptWithLabel(
  suite: CipherSuite,
  publicKey: Uint8Array,
  label: string,
  context: Uint8Array,
  plaintext: Uint8Array,
): Promise<HpkeCiphertext> {
  return hpkeSeal(suite, publicKey, labelled(label, context), EMPTY, plaintext);
}

/** DecryptWithLabel (RFC 9420 §5.1.3); throws CryptoError when the ciphertext does not open. */
export async function decryptWithLabel(
  suite: CipherSuite,
  keyPair: KeyPair,
  label: string,
  context: Uint8Array,
  ciphertext: HpkeCiphertext,
): Promise<Uint8Array> {
  return hpkeOpen(suite, keyPair, labelled(label, context), EMPTY, ciphertext);
}
