import { create, toBinary } from "@bufbuild/protobuf";
import { DecodeError, equalBytes, type CipherSuite } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { decodeProto } from "../protobuf.ts";
import {
  WelcomePointeeEncryptionAeadType,
  WelcomePointerSchema,
  WelcomePointerWrapperAlgorithm,
  WelcomeWrapperAlgorithm,
} from "../proto.ts";
import type { WelcomeKey } from "./key.ts";
import {
  decodeMetadata,
  encodeMetadata,
  openWithKey,
  requireAlgorithm,
  sealForKey,
  type WelcomeContent,
  type WelcomeKeyPair,
  type WrappedWelcome,
} from "./wrap.ts";

const DESTINATION_BYTES = 32;
const EMPTY = new Uint8Array(0);

/** Where a Welcome for many lies, and what opens it (XIP-74). */
export interface WelcomePointer {
  /** The topic, in the place of an installation key: 32 random bytes. */
  readonly destination: Uint8Array;
  readonly encryptionKey: Uint8Array;
  readonly dataNonce: Uint8Array;
  readonly metadataNonce: Uint8Array;
}

/** The fields of a WelcomePointer message that the wrapping fills. */
export interface WrappedPointer {
  readonly welcomePointer: Uint8Array;
  readonly hpkePublicKey: Uint8Array;
  readonly wrapperAlgorithm: WelcomePointerWrapperAlgorithm;
}

/** A pointer to a place that nobody else knows, under a key that nobody else has. */
export function newWelcomePointer(suite: CipherSuite): WelcomePointer {
  const destination = suite.randomBytes(DESTINATION_BYTES);
  const encryptionKey = suite.randomBytes(suite.aeadKeyLength);
  const dataNonce = suite.randomBytes(suite.aeadNonceLength);
  let metadataNonce = suite.randomBytes(suite.aeadNonceLength);
  // One key for two texts: the nonces must differ.
  while (equalBytes(metadataNonce, dataNonce)) metadataNonce = suite.randomBytes(suite.aeadNonceLength);
  return { destination, encryptionKey, dataNonce, metadataNonce };
}

/** Encrypts a Welcome to lie where the pointer says; the pointer must be used for this one only. */
export function sealPointee(suite: CipherSuite, pointer: WelcomePointer, content: WelcomeContent): WrappedWelcome {
  const { encryptionKey, dataNonce, metadataNonce } = pointer;
  return {
    data: suite.aeadSeal(encryptionKey, dataNonce, EMPTY, content.welcome),
    welcomeMetadata: suite.aeadSeal(encryptionKey, metadataNonce, EMPTY, encodeMetadata(content.messageCursor)),
    hpkePublicKey: EMPTY,
    wrapperAlgorithm: WelcomeWrapperAlgorithm.SYMMETRIC_KEY,
  };
}

/** Opens what lies where a pointer says. Throws CryptoError when it is something else, DecodeError. */
export function openPointee(
  suite: CipherSuite,
  pointer: WelcomePointer,
  { data, welcomeMetadata }: Pick<WrappedWelcome, "data" | "welcomeMetadata">,
): WelcomeContent {
  const { encryptionKey, dataNonce, metadataNonce } = pointer;
  const welcome = suite.aeadOpen(encryptionKey, dataNonce, EMPTY, data);
  if (welcomeMetadata.length === 0) return { welcome, messageCursor: 0n };
  const metadata = suite.aeadOpen(encryptionKey, metadataNonce, EMPTY, welcomeMetadata);
  return { welcome, messageCursor: decodeMetadata(metadata) };
}

/** Wraps a pointer for one recipient. Throws CryptoError for a malformed key. */
export async function wrapPointer(
  suite: CipherSuite,
  key: WelcomeKey,
  pointer: WelcomePointer,
): Promise<WrappedPointer> {
  const { destination, encryptionKey, dataNonce, metadataNonce } = pointer;
  const value = {
    destination,
    aeadType: WelcomePointeeEncryptionAeadType.CHACHA20_POLY1305,
    encryptionKey,
    dataNonce,
    welcomeMetadataNonce: metadataNonce,
  };
  const message = create(WelcomePointerSchema, { version: { case: "welcomeV1Pointer", value } });
  const [welcomePointer] = await sealForKey(suite, key, toBinary(WelcomePointerSchema, message));
  return {
    welcomePointer,
    hpkePublicKey: key.publicKey,
    wrapperAlgorithm: WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6,
  };
}

/**
 * Opens a pointer with the key pair that `hpkePublicKey` names. Throws CryptoError when it does not open, DecodeError
 * when it is malformed or longer than `maxWelcomePointerBytes`, UnsupportedError when its algorithm is not the key's.
 */
export async function unwrapPointer(
  suite: CipherSuite,
  keyPair: WelcomeKeyPair,
  { welcomePointer, wrapperAlgorithm }: Pick<WrappedPointer, "welcomePointer" | "wrapperAlgorithm">,
): Promise<WelcomePointer> {
  // The numbers of this enumeration are those of WelcomeWrapperAlgorithm.
  requireAlgorithm(keyPair, wrapperAlgorithm as number as WelcomeWrapperAlgorithm);
  if (welcomePointer.length > XMTP_LIMITS.maxWelcomePointerBytes) {
    throw new DecodeError(`a welcome pointer has ${welcomePointer.length} bytes`);
  }
  const { first } = await openWithKey(suite, keyPair, welcomePointer);
  const { version } = decodeProto(WelcomePointerSchema, first);
  if (version.case !== "welcomeV1Pointer") throw new DecodeError("a welcome pointer is of an unknown version");
  const { destination, aeadType, encryptionKey, dataNonce, welcomeMetadataNonce: metadataNonce } = version.value;
  if (aeadType !== WelcomePointeeEncryptionAeadType.CHACHA20_POLY1305) {
    throw new DecodeError(`a welcome pointer names the unknown AEAD ${aeadType}`);
  }
  const nonces = [dataNonce, metadataNonce].every(({ length }) => length === suite.aeadNonceLength);
  if (destination.length !== DESTINATION_BYTES || encryptionKey.length !== suite.aeadKeyLength || !nonces) {
    throw new DecodeError("a field of a welcome pointer has the wrong length");
  }
  return { destination, encryptionKey, dataNonce, metadataNonce };
}
