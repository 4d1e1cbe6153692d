import { create, toBinary } from "@bufbuild/protobuf";
import {
  decodeExact,
  decodeHpkeCiphertext,
  encode,
  encodeHpkeCiphertext,
  hpkeSetupReceiver,
  hpkeSetupSender,
  UnsupportedError,
  utf8,
  type CipherSuite,
  type HpkeContext,
} from "@latchkey/mls";
import { requireInt64 } from "../numbers.ts";
import { decodeProto } from "../protobuf.ts";
import { WelcomeMetadataSchema, WelcomeWrapperAlgorithm } from "../proto.ts";
import type { WelcomeKey } from "./key.ts";
import { xWingSetupReceiver, xWingSetupSender } from "./x-wing.ts";

const EMPTY = new Uint8Array(0);

/** EncryptContext of RFC 9420 §5.1.3 with XMTP's label and no context: 21 bytes. */
const INFO = encode("MLS 1.0 MLS_WELCOME", (writer, label) => {
  writer.opaque(utf8(label));
  writer.opaque(EMPTY);
});

/** A Welcome, and the id of the commit that added its recipients as sequenced by the node: they read from behind it. */
export interface WelcomeContent {
  /** MLSMessage(Welcome). */
  readonly welcome: Uint8Array;
  /** 0 when the sender gave none. */
  readonly messageCursor: bigint;
}

/** The fields of a WelcomeMessageInput.V1 (and of the WelcomeMessage.V1 that is received) that the wrapping fills. */
export interface WrappedWelcome {
  readonly data: Uint8Array;
  readonly hpkePublicKey: Uint8Array;
  readonly wrapperAlgorithm: WelcomeWrapperAlgorithm;
  readonly welcomeMetadata: Uint8Array;
}

/** What opens Welcomes: the key that a key package offered for them, with its private key. */
export interface WelcomeKeyPair extends WelcomeKey {
  readonly privateKey: Uint8Array;
}

export function encodeMetadata(messageCursor: bigint): Uint8Array {
  return toBinary(WelcomeMetadataSchema, create(WelcomeMetadataSchema, { messageCursor }));
}

/** Throws DecodeError, also for a cursor from 2^63 on (`MessageCursorOutOfRange`). */
export function decodeMetadata(bytes: Uint8Array): bigint {
  const { messageCursor } = decodeProto(WelcomeMetadataSchema, bytes);
  requireInt64(messageCursor, "MessageCursorOutOfRange", "the message cursor of a Welcome");
  return messageCursor;
}

/** Seals several texts for the owner of a key in one HPKE context: the first one as TLS HPKECiphertext, the others bare. */
export async function sealForKey(
  suite: CipherSuite,
  { algorithm, publicKey }: WelcomeKey,
  first: Uint8Array,
  ...others: readonly Uint8Array[]
): Promise<[Uint8Array, ...Uint8Array[]]> {
  const { kemOutput, context } =
    algorithm === WelcomeWrapperAlgorithm.CURVE25519
      ? await hpkeSetupSender(suite, publicKey, INFO)
      : await xWingSetupSender(suite, publicKey, INFO);
  const data = encode({ kemOutput, ciphertext: context.seal(EMPTY, first) }, encodeHpkeCiphertext);
  return [data, ...others.map((text) => context.seal(EMPTY, text))];
}

/** Opens the first text of `sealForKey`; the context opens the others. Throws CryptoError, DecodeError. */
export async function openWithKey(
  suite: CipherSuite,
  keyPair: WelcomeKeyPair,
  data: Uint8Array,
): Promise<{ first: Uint8Array; context: HpkeContext }> {
  const { kemOutput, ciphertext } = decodeExact(data, decodeHpkeCiphertext);
  const context =
    keyPair.algorithm === WelcomeWrapperAlgorithm.CURVE25519
      ? await hpkeSetupReceiver(suite, kemOutput, keyPair, INFO)
      : xWingSetupReceiver(suite, kemOutput, keyPair.privateKey, INFO);
  return { first: context.open(EMPTY, ciphertext), context };
}

/** Throws UnsupportedError unless the message is wrapped for the kind of key that it names. */
export function requireAlgorithm({ algorithm }: WelcomeKey, received: WelcomeWrapperAlgorithm): void {
  const { UNSPECIFIED, CURVE25519 } = WelcomeWrapperAlgorithm;
  if ((received === UNSPECIFIED ? CURVE25519 : received) === algorithm) return;
  throw new UnsupportedError(`a Welcome is wrapped with algorithm ${received}, and its key is for ${algorithm}`);
}

/**
 * Wraps a Welcome for the owner of a key package, so that the node cannot read it: HPKE to the key that `welcomeKeyOf`
 * gives, first the Welcome, then the cursor, in one context. Throws CryptoError for a malformed key.
 */
export async function wrapWelcome(
  suite: CipherSuite,
  key: WelcomeKey,
  { welcome, messageCursor }: WelcomeContent,
): Promise<WrappedWelcome> {
  const [data, welcomeMetadata = EMPTY] = await sealForKey(suite, key, welcome, encodeMetadata(messageCursor));
  return { data, hpkePublicKey: key.publicKey, wrapperAlgorithm: key.algorithm, welcomeMetadata };
}

/**
 * Opens a wrapped Welcome with the key pair that `hpkePublicKey` names. Throws CryptoError when it does not open,
 * DecodeError when it is malformed, UnsupportedError when its algorithm is not the key's.
 */
export async function unwrapWelcome(
  suite: CipherSuite,
  keyPair: WelcomeKeyPair,
  { data, welcomeMetadata, wrapperAlgorithm }: WrappedWelcome,
): Promise<WelcomeContent> {
  requireAlgorithm(keyPair, wrapperAlgorithm);
  const { first: welcome, context } = await openWithKey(suite, keyPair, data);
  if (welcomeMetadata.length === 0) return { welcome, messageCursor: 0n };
  return { welcome, messageCursor: decodeMetadata(context.open(EMPTY, welcomeMetadata)) };
}
