import { deriveSecret, expandWithLabel } from "../crypto/labels.ts";
import { deriveHpkeKeyPair } from "../crypto/hpke.ts";
import type { CipherSuite, KeyPair } from "../crypto/provider.ts";

/** The secrets of one epoch (RFC 9420 §8), each of hash length. */
export interface EpochSecrets {
  readonly senderData: Uint8Array;
  readonly encryption: Uint8Array;
  readonly exporter: Uint8Array;
  readonly external: Uint8Array;
  readonly confirmation: Uint8Array;
  readonly membership: Uint8Array;
  readonly resumption: Uint8Array;
  readonly authentication: Uint8Array;
  readonly init: Uint8Array;
}

/** The names of the epoch secrets in the order they are stored, with the label each is derived under. */
export const EPOCH_SECRET_LABELS = {
  senderData: "sender data",
  encryption: "encryption",
  exporter: "exporter",
  external: "external",
  confirmation: "confirm",
  membership: "membership",
  resumption: "resumption",
  authentication: "authentication",
  init: "init",
} as const satisfies Record<keyof EpochSecrets, string>;

/** A secret of hash length made of zeros: the PSK secret of an epoch without PSKs, the commit secret without a path. */
export function zeroSecret(suite: CipherSuite): Uint8Array {
  return new Uint8Array(suite.hashLength);
}

/** joiner_secret of the next epoch (RFC 9420 §8). */
export function deriveJoinerSecret(
  suite: CipherSuite,
  initSecret: Uint8Array,
  commitSecret: Uint8Array,
  contextBytes: Uint8Array,
): Uint8Array {
  const extracted = suite.hkdfExtract(initSecret, commitSecret);
  return expandWithLabel(suite, extracted, "joiner", contextBytes, suite.hashLength);
}

/** welcome_secret (RFC 9420 §8): encrypts the GroupInfo of a Welcome. */
export function deriveWelcomeSecret(suite: CipherSuite, joinerSecret: Uint8Array, pskSecret: Uint8Array): Uint8Array {
  return deriveSecret(suite, suite.hkdfExtract(joinerSecret, pskSecret), "welcome");
}

/** Key and nonce of a Welcome's encrypted GroupInfo (RFC 9420 §12.4.3.1). */
export function deriveWelcomeKey(
  suite: CipherSuite,
  welcomeSecret: Uint8Array,
): { key: Uint8Array; nonce: Uint8Array } {
  const empty = new Uint8Array(0);
  return {
    key: expandWithLabel(suite, welcomeSecret, "key", empty, suite.aeadKeyLength),
    nonce: expandWithLabel(suite, welcomeSecret, "nonce", empty, suite.aeadNonceLength),
  };
}

/** All secrets of an epoch from its joiner secret (RFC 9420 §8). */
export function deriveEpochSecrets(
  suite: CipherSuite,
  joinerSecret: Uint8Array,
  pskSecret: Uint8Array,
  contextBytes: Uint8Array,
): EpochSecrets {
  const member = suite.hkdfExtract(joinerSecret, pskSecret);
  return splitEpochSecret(suite, expandWithLabel(suite, member, "epoch", contextBytes, suite.hashLength));
}

/** All secrets of an epoch from its epoch secret; a group's first epoch starts from a random one (RFC 9420 §11). */
export function splitEpochSecret(suite: CipherSuite, epochSecret: Uint8Array): EpochSecrets {
  const derive = (name: keyof EpochSecrets) => deriveSecret(suite, epochSecret, EPOCH_SECRET_LABELS[name]);
  return {
    senderData: derive("senderData"),
    encryption: derive("encryption"),
    exporter: derive("exporter"),
    external: derive("external"),
    confirmation: derive("confirmation"),
    membership: derive("membership"),
    resumption: derive("resumption"),
    authentication: derive("authentication"),
    init: derive("init"),
  };
}

/** The key pair whose public half is `external_pub` (RFC 9420 §8.3). */
export async function deriveExternalKeyPair(suite: CipherSuite, externalSecret: Uint8Array): Promise<KeyPair> {
  return deriveHpkeKeyPair(suite, externalSecret);
}

/** Label under which an external joiner and the members export the init secret (RFC 9420 §8.3). */
export const EXTERNAL_INIT_LABEL = "MLS 1.0 external init secret";

/** MLS-Exporter (RFC 9420 §8.5). */
export function exportSecret(
  suite: CipherSuite,
  exporterSecret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array {
  const derived = deriveSecret(suite, exporterSecret, label);
  return expandWithLabel(suite, derived, "exported", suite.hash(context), length);
}
