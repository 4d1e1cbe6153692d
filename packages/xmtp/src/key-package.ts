import {
  CREDENTIAL_TYPE,
  EXTENSION_TYPE,
  PROPOSAL_TYPE,
  PROTOCOL_VERSION_MLS10,
  createKeyPackage,
  encode,
  toHex,
  utf8,
  verifyKeyPackage,
  type Capabilities,
  type CryptoProvider,
  type KeyPackage,
  type KeyPackageBundle,
  type LeafNode,
  type LeafParameters,
  type SigningIdentity,
} from "@latchkey/mls";
import { decodeMlsCredential } from "./credential.ts";
import { XMTP_LIMITS } from "./limits.ts";
import {
  FOLLOWS_EXTERNAL_COMMITS,
  WELCOME_EXTENSION_TYPE,
  XMTP_CIPHER_SUITE,
  XMTP_EXTENSION_TYPE,
} from "./protocol.ts";
import { welcomeExtensions } from "./welcome/key.ts";
import { generateXWingKeyPair } from "./welcome/x-wing.ts";

const CLOCK_SKEW_SECONDS = 3600n;
const LIFETIME_SECONDS = 84n * 24n * 3600n;

/** What an installation can do: what libxmtp's can, and our sign that we follow joins. */
export const installationCapabilities: Capabilities = {
  versions: [PROTOCOL_VERSION_MLS10],
  cipherSuites: [XMTP_CIPHER_SUITE],
  extensions: [
    EXTENSION_TYPE.lastResort,
    EXTENSION_TYPE.applicationId,
    XMTP_EXTENSION_TYPE.immutableMetadata,
    EXTENSION_TYPE.appDataDictionary,
    XMTP_EXTENSION_TYPE.groupPermissions,
    XMTP_EXTENSION_TYPE.mutableMetadata,
    XMTP_EXTENSION_TYPE.groupMembership,
    WELCOME_EXTENSION_TYPE.wrapperEncryption,
    WELCOME_EXTENSION_TYPE.pointeeAeadTypes,
    FOLLOWS_EXTERNAL_COMMITS,
  ],
  proposals: [PROPOSAL_TYPE.group_context_extensions, PROPOSAL_TYPE.app_data_update],
  credentials: [CREDENTIAL_TYPE.basic],
};

/**
 * True when the owner of a leaf says that it follows external commits. Clients that do not say so, as XMTP's own of
 * today, refuse them: they stay behind in the epoch before, and have to be removed and added again.
 */
export function followsExternalCommits({ capabilities }: Pick<LeafNode, "capabilities">): boolean {
  return capabilities.extensions.includes(FOLLOWS_EXTERNAL_COMMITS);
}

/** The leaf of an installation: its capabilities, and the inbox id once more as application id. */
export function installationLeaf(inboxId: string): LeafParameters {
  const applicationId = encode(utf8(inboxId), (writer, bytes) => writer.opaque(bytes));
  return {
    capabilities: installationCapabilities,
    extensions: [{ type: EXTENSION_TYPE.applicationId, data: applicationId }],
  };
}

/** A key package of an installation with all its private keys. */
export interface InstallationKeyPackage extends KeyPackageBundle {
  /** Opens Welcomes that are wrapped for X-Wing; 32 bytes. */
  readonly wrapperPrivateKey: Uint8Array;
}

/**
 * Makes a last-resort key package, valid from an hour ago for 84 days, as libxmtp does: it offers X-Wing for Welcomes, and
 * welcome pointers. About 2 KiB.
 */
export async function createInstallationKeyPackage(options: {
  crypto: CryptoProvider;
  identity: SigningIdentity;
  inboxId: string;
  /** Since 1970. */
  nowSeconds: bigint;
}): Promise<InstallationKeyPackage> {
  const { crypto, identity, inboxId, nowSeconds } = options;
  const wrapper = generateXWingKeyPair((length) => crypto.randomBytes(length));
  const bundle = await createKeyPackage(
    { crypto, identity },
    {
      cipherSuite: XMTP_CIPHER_SUITE,
      leaf: installationLeaf(inboxId),
      lifetime: { notBefore: nowSeconds - CLOCK_SKEW_SECONDS, notAfter: nowSeconds + LIFETIME_SECONDS },
      extensions: [
        { type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) },
        ...welcomeExtensions(wrapper.publicKey),
      ],
    },
  );
  return { ...bundle, wrapperPrivateKey: wrapper.privateKey };
}

/**
 * Verifies a bare TLS KeyPackage and reads whose it is; that its lifetime has begun and not ended is checked when
 * `nowSeconds` is given, and its length, at most `XMTP_LIMITS.maxKeyPackageLifetimeSeconds`, always. That the
 * installation belongs to the inbox is for the identity log to say. Throws DecodeError or ValidationError.
 */
export async function verifyInstallationKeyPackage(
  crypto: CryptoProvider,
  bytes: Uint8Array,
  options: { nowSeconds?: bigint } = {},
): Promise<{ keyPackage: KeyPackage; inboxId: string; installationId: string }> {
  const keyPackage = await verifyKeyPackage(crypto, bytes, {
    cipherSuite: XMTP_CIPHER_SUITE,
    lifetimeMaxSeconds: XMTP_LIMITS.maxKeyPackageLifetimeSeconds,
    ...options,
  });
  const { credential, signatureKey } = keyPackage.leafNode;
  return { keyPackage, inboxId: decodeMlsCredential(credential), installationId: toHex(signatureKey) };
}
