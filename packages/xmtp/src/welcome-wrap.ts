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
  type KeyPair,
} from "@latchkey/mls";
import { decodeProto } from "./protobuf.ts";
import { WelcomeMetadataSchema, WelcomeWrapperAlgorithm } from "./proto.ts";

const EMPTY = new Uint8Array(0);

/** EncryptContext of RFC 9420 §5.1.3 with XMTP's label and no context: 21 bytes. */
const INFO = encode("MLS 1.0 MLS_WELCOME", (writer, label) => {
  writer.opaque(utf8(label));
  writer.opaque(EMPTY);
});

/** The fields of a WelcomeMessageInput.V1 (and of the WelcomeMessage.V1 that is received) that the wrapping fills. */
export interface WrappedWelcome {
  readonly data: Uint8Array;
  readonly hpkePublicKey: Uint8Array;
  readonly wrapperAlgorithm: WelcomeWrapperAlgorithm;
  readonly welcomeMetadata: Uint8Array;
}

/**
 * Wraps a Welcome for the owner of a key package, so that the node cannot read it: HPKE to the package's init key, first
 * the Welcome, then the cursor, in one context.
 */
export async function wrapWelcome(options: {
  suite: CipherSuite;
  /** `initKey` of the recipient's key package. */
  initKey: Uint8Array;
  /** MLSMessage(Welcome). */
  welcome: Uint8Array;
  /** Id of the commit that added the recipient, as sequenced by the node. */
  messageCursor: bigint;
}): Promise<WrappedWelcome> {
  const { suite, initKey, welcome, messageCursor } = options;
  const { kemOutput, context } = await hpkeSetupSender(suite, initKey, INFO);
  const data = encode({ kemOutput, ciphertext: context.seal(EMPTY, welcome) }, encodeHpkeCiphertext);
  const metadata = toBinary(WelcomeMetadataSchema, create(WelcomeMetadataSchema, { messageCursor }));
  return {
    data,
    hpkePublicKey: initKey,
    wrapperAlgorithm: WelcomeWrapperAlgorithm.CURVE25519,
    welcomeMetadata: context.seal(EMPTY, metadata),
  };
}

/**
 * Opens a wrapped Welcome with the init key pair that `hpkePublicKey` names. The cursor is 0 when the sender gave none.
 * Throws CryptoError when it does not open, DecodeError when it is malformed, UnsupportedError for a wrapper algorithm
 * other than Curve25519.
 */
export async function unwrapWelcome(options: {
  suite: CipherSuite;
  initKeyPair: KeyPair;
  data: Uint8Array;
  welcomeMetadata: Uint8Array;
  wrapperAlgorithm?: WelcomeWrapperAlgorithm;
}): Promise<{ welcome: Uint8Array; messageCursor: bigint }> {
  const { suite, initKeyPair, data, welcomeMetadata } = options;
  const { UNSPECIFIED, CURVE25519 } = WelcomeWrapperAlgorithm;
  const algorithm = options.wrapperAlgorithm ?? CURVE25519;
  if (algorithm !== UNSPECIFIED && algorithm !== CURVE25519) {
    throw new UnsupportedError(`a Welcome is wrapped with algorithm ${algorithm}; only Curve25519 is carried`);
  }
  const { kemOutput, ciphertext } = decodeExact(data, decodeHpkeCiphertext);
  const context = await hpkeSetupReceiver(suite, kemOutput, initKeyPair, INFO);
  const welcome = context.open(EMPTY, ciphertext);
  if (welcomeMetadata.length === 0) return { welcome, messageCursor: 0n };
  const metadata = decodeProto(WelcomeMetadataSchema, context.open(EMPTY, welcomeMetadata));
  return { welcome, messageCursor: metadata.messageCursor };
}
