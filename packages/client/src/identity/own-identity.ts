import { toHex, XIP_82_EXTERNAL_COMMITS, type CryptoProvider, type GroupConfig } from "@latchkey/mls";
import { encodeMlsCredential, InstallationKey, leafInboxId } from "@latchkey/xmtp";
import type { IdentityRecord } from "../store/records.ts";
import type { OwnIdentity } from "./identity-context.ts";

/** Bytes of an Ed25519 seed. */
const INSTALLATION_SEED_BYTES = 32;

/** Bytes of the root of `sender_hmac` keys, as XMTP has it. */
const HMAC_ROOT_BYTES = 42;

/** A fresh installation of an inbox that its identity log does not list yet. */
export function newIdentityRecord(
  crypto: Pick<CryptoProvider, "randomBytes">,
  { inboxId, address }: Pick<IdentityRecord, "inboxId" | "address">,
): IdentityRecord {
  const installation = new InstallationKey(crypto.randomBytes(INSTALLATION_SEED_BYTES));
  return {
    name: "self",
    inboxId,
    address,
    signaturePrivateKey: installation.privateKey,
    signaturePublicKey: installation.publicKey,
    hmacRoot: crypto.randomBytes(HMAC_ROOT_BYTES),
    welcomeCursor: 0n,
    welcomeCheckedId: 0n,
    registered: 0n,
    messagesMarked: 1n,
  };
}

/** The inbox and installation of a record. */
export function ownIdentityOf({ inboxId, signaturePublicKey, hmacRoot }: IdentityRecord): OwnIdentity {
  return { inboxId, installationId: toHex(signaturePublicKey), installationKey: signaturePublicKey, hmacRoot };
}

/** The configuration of every group of an installation. */
export function groupConfigOf(crypto: CryptoProvider, record: IdentityRecord): GroupConfig {
  const { inboxId, signaturePrivateKey: privateKey, signaturePublicKey: publicKey } = record;
  return {
    crypto,
    identity: { credential: encodeMlsCredential(inboxId), signatureKeyPair: { privateKey, publicKey } },
    identityOf: leafInboxId,
    externalCommitPolicy: XIP_82_EXTERNAL_COMMITS,
  };
}
