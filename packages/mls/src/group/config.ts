import type { CryptoProvider, KeyPair } from "../crypto/provider.ts";
import type { Credential } from "../messages/credential.ts";
import type { ProposalKind } from "../messages/proposal.ts";
import type { IdentityOf } from "../tree/leaf-identities.ts";
import type { VerifiedTreeCache } from "../tree/verified-trees.ts";

/** Who signs: a credential and the key pair it vouches for. The private key never enters the group's rows. */
export interface SigningIdentity {
  readonly credential: Credential;
  readonly signatureKeyPair: KeyPair;
}

/** What an external commit may carry beside its one ExternalInit and its path. */
export interface ExternalCommitPolicy {
  /** Proposal kinds allowed by value. */
  readonly byValue: ReadonlySet<ProposalKind>;
  /**
   * Most proposals in one commit. A stranger can send a commit, and members verify its content before they can judge
   * it.
   */
  readonly maxProposals: number;
}

/** RFC 9420 §12.4.3.2: one ExternalInit, PSKs, and at most one Remove, of the joiner's own former leaf (resync). */
export const RFC_9420_EXTERNAL_COMMITS: ExternalCommitPolicy = {
  byValue: new Set(["external_init", "psk", "remove"]),
  maxProposals: 64,
};

/**
 * XIP-82: the joiner also adds its other installations by value and registers itself with one AppDataUpdate. The joiner
 * takes the leftmost blank leaf after the Adds (RFC 9420 §12.4.2). XMTP's clients keep an inbox at ten installations,
 * so that 128 proposals are far more than any honest joiner needs. The application checks the content of the Adds and
 * of the update.
 */
export const XIP_82_EXTERNAL_COMMITS: ExternalCommitPolicy = {
  byValue: new Set(["external_init", "add", "app_data_update"]),
  maxProposals: 128,
};

/** Parts that a group needs from outside. */
export interface GroupConfig {
  readonly crypto: CryptoProvider;
  readonly identity: SigningIdentity;
  /** Tells whose a leaf is, for `MlsGroup.leavesOf`. */
  readonly identityOf?: IdentityOf;
  /** Default: RFC_9420_EXTERNAL_COMMITS. */
  readonly externalCommitPolicy?: ExternalCommitPolicy;
  /** Epochs before the current one whose application messages still open; at most and by default 3. */
  readonly maxPastEpochs?: number;
  /** External PSKs by their id (RFC 9420 §8.4); undefined for one that is not known. */
  readonly externalPsk?: (pskId: Uint8Array) => Uint8Array | undefined;
  /**
   * Resumption PSKs of other groups, for reinitialized groups and branches, and of epochs of this one that are not kept
   * any more (RFC 9420 §8.6, §11); see `MlsGroup.resumptionPsk`.
   */
  readonly resumptionPsk?: (groupId: Uint8Array, epoch: bigint) => Uint8Array | undefined;
  /** Shared by attempts to join the same group, so that what stays as it was is verified once. */
  readonly verifiedTrees?: VerifiedTreeCache;
}
