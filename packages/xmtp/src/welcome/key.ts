import { create, toBinary } from "@bufbuild/protobuf";
import { findExtension, type Extension, type KeyPackage } from "@latchkey/mls";
import { tryDecodeProto } from "../protobuf.ts";
import {
  WelcomePointeeEncryptionAeadType,
  WelcomePointeeEncryptionAeadTypesExtensionSchema,
  WelcomeWrapperAlgorithm,
  WelcomeWrapperEncryptionSchema,
} from "../proto.ts";
import { WELCOME_EXTENSION_TYPE } from "../protocol.ts";
import { X_WING } from "./x-wing.ts";

const { CURVE25519, XWING_MLKEM_768_DRAFT_6 } = WelcomeWrapperAlgorithm;
const { CHACHA20_POLY1305 } = WelcomePointeeEncryptionAeadType;

/** What Welcomes for an installation are wrapped for. */
export interface WelcomeKey {
  readonly algorithm: typeof CURVE25519 | typeof XWING_MLKEM_768_DRAFT_6;
  readonly publicKey: Uint8Array;
}

/** The key package extensions that offer post-quantum wrapping for this X-Wing key, and welcome pointers. */
export function welcomeExtensions(xWingPublicKey: Uint8Array): Extension[] {
  const pointee = create(WelcomePointeeEncryptionAeadTypesExtensionSchema, {
    supportedAeadTypes: [CHACHA20_POLY1305],
  });
  const wrapper = create(WelcomeWrapperEncryptionSchema, {
    pubKey: xWingPublicKey,
    algorithm: XWING_MLKEM_768_DRAFT_6,
  });
  return [
    {
      type: WELCOME_EXTENSION_TYPE.pointeeAeadTypes,
      data: toBinary(WelcomePointeeEncryptionAeadTypesExtensionSchema, pointee),
    },
    { type: WELCOME_EXTENSION_TYPE.wrapperEncryption, data: toBinary(WelcomeWrapperEncryptionSchema, wrapper) },
  ];
}

/**
 * The key that a key package offers for Welcomes: X-Wing, or else its init key for Curve25519. An offer that cannot be
 * read counts as none: what one device publishes must not keep others out, and its init key is as valid.
 */
export function welcomeKeyOf({ extensions, initKey }: Pick<KeyPackage, "extensions" | "initKey">): WelcomeKey {
  const curve: WelcomeKey = { algorithm: CURVE25519, publicKey: initKey };
  const data = findExtension(extensions, WELCOME_EXTENSION_TYPE.wrapperEncryption);
  if (data === undefined) return curve;
  const offer = tryDecodeProto(WelcomeWrapperEncryptionSchema, data);
  if (offer?.algorithm !== XWING_MLKEM_768_DRAFT_6 || offer.pubKey.length !== X_WING.publicKeyBytes) return curve;
  return { algorithm: XWING_MLKEM_768_DRAFT_6, publicKey: offer.pubKey };
}

/** True for a key package whose owner follows welcome pointers (XIP-74). They are wrapped with X-Wing. */
export function acceptsWelcomePointers(keyPackage: Pick<KeyPackage, "extensions" | "initKey">): boolean {
  const data = findExtension(keyPackage.extensions, WELCOME_EXTENSION_TYPE.pointeeAeadTypes);
  if (data === undefined || welcomeKeyOf(keyPackage).algorithm !== XWING_MLKEM_768_DRAFT_6) return false;
  const types = tryDecodeProto(WelcomePointeeEncryptionAeadTypesExtensionSchema, data);
  return types?.supportedAeadTypes.includes(CHACHA20_POLY1305) ?? false;
}
