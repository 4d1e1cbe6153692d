export { LatchkeyError, DecodeError, ValidationError, CryptoError, StateError, UnsupportedError } from "./errors.ts";
export type { ErrorScope, LatchkeyErrorOptions } from "./errors.ts";
export { MLS_LIMITS } from "./limits.ts";
export {
  utf8,
  decodeUtf8,
  toHex,
  fromHex,
  equalBytes,
  compareBytes,
  constantTimeEqual,
  concatBytes,
  bytesKey,
} from "./bytes.ts";
export {
  argumentInvalid,
  check,
  optional,
  requireBigint,
  requireBytes,
  requireEither,
  requireFields,
  requireFlag,
  requireFunction,
  requireList,
  requireMethods,
  requireOneOf,
  requireSignal,
  requireText,
  requireWholeNumber,
} from "./arguments.ts";
export type { Check } from "./arguments.ts";
export { Reader, decodeExact } from "./codec/reader.ts";
export { varintLength } from "./codec/varint.ts";
export { Writer, encode } from "./codec/writer.ts";
export { CIPHER_SUITE } from "./crypto/provider.ts";
export type { CipherSuite, CryptoProvider, Encapsulated, KeyPair, SignatureCheck } from "./crypto/provider.ts";
export {
  HpkeContext,
  deriveHpkeKeyPair,
  generateHpkeKeyPair,
  hpkeSetupSender,
  hpkeSetupReceiver,
  hpkeSeal,
  hpkeOpen,
  encodeHpkeCiphertext,
  decodeHpkeCiphertext,
} from "./crypto/hpke.ts";
export type { HpkeCiphertext } from "./crypto/hpke.ts";
export { keyPackageRef } from "./crypto/labels.ts";

export type { AppData, AppDataChanges } from "./messages/app-data.ts";
export { decodeAppDataDictionary, encodeAppDataDictionary } from "./messages/app-data.ts";
export type { Credential } from "./messages/credential.ts";
export { CREDENTIAL_TYPE } from "./messages/credential.ts";
export type { Extension, RequiredCapabilities } from "./messages/extension.ts";
export {
  EXTENSION_TYPE,
  decodeRequiredCapabilities,
  encodeRequiredCapabilities,
  findExtension,
  replaceExtension,
} from "./messages/extension.ts";
export type { Commit, ProposalOrRef, UpdatePath, UpdatePathNode } from "./messages/commit.ts";
export type { ExternalSender } from "./messages/external-sender.ts";
export { decodeExternalSenders, encodeExternalSenders } from "./messages/external-sender.ts";
export type { ContentKind, FramingWireFormat, Sender } from "./messages/framing.ts";
export type { GroupContext } from "./messages/group-context.ts";
export { groupContextBytes } from "./messages/group-context.ts";
export type { GroupInfo } from "./messages/group-info.ts";
export type { KeyPackage } from "./messages/key-package.ts";
export { PROTOCOL_VERSION_MLS10, decodeKeyPackage, encodeKeyPackage } from "./messages/key-package.ts";
export type { Capabilities, LeafNode, LeafNodeSource, Lifetime } from "./messages/leaf-node.ts";
export type { MessageHeader, MlsMessage, WireFormat } from "./messages/mls-message.ts";
export { decodeMlsMessage, encodeMlsMessage, peekMlsMessage } from "./messages/mls-message.ts";
export type { AppDataOperation, PreSharedKeyId, Proposal, ProposalKind, ReInit } from "./messages/proposal.ts";
export { PROPOSAL_TYPE } from "./messages/proposal.ts";
export type { Welcome } from "./messages/welcome.ts";

export type { LeafIndex } from "./tree/math.ts";
export { asLeafIndex } from "./tree/math.ts";
export { VerifiedTreeCache } from "./tree/verified-trees.ts";

export type { LeafParameters } from "./group/build-commit.ts";
export type { GroupChange, Rows } from "./group/change.ts";
export { decodeRows, encodeRows } from "./group/change.ts";
export type { ExternalCommitPolicy, GroupConfig, SigningIdentity } from "./group/config.ts";
export { RFC_9420_EXTERNAL_COMMITS, XIP_82_EXTERNAL_COMMITS } from "./group/config.ts";
export type { CommitOptions, PendingCommit } from "./group/create-commit.ts";
export type { GroupOptions } from "./group/create-group.ts";
export type { ExternalCommitOptions } from "./group/external-join.ts";
export type { ExternalProposalTarget } from "./group/external-proposal.ts";
export { createExternalProposal, createNewMemberProposal } from "./group/external-proposal.ts";
export type { KeyPackageBundle, KeyPackageOptions } from "./group/key-packages.ts";
export {
  createKeyPackage,
  decodeKeyPackageBundle,
  encodeKeyPackageBundle,
  keyPackageBundle,
  verifyKeyPackage,
} from "./group/key-packages.ts";
export type { MessageOptions, SentProposal } from "./group/mls-group.ts";
export { MlsGroup, createExternalCommit } from "./group/mls-group.ts";
export type { PendingProposal, ResolvedProposal } from "./group/proposals.ts";
export type { Received } from "./group/receive.ts";
export type { StagedCommit } from "./group/stage-commit.ts";
export type { Committer, VerifiedCommit } from "./group/verify-commit.ts";
export { checkBranch, checkReInit } from "./group/resumption.ts";
export type { AddsToTry } from "./group/try-adds.ts";
export { tryAdds } from "./group/try-adds.ts";
export type { VerifiedGroupInfo } from "./group/verify-group-info.ts";
export { verifyGroupInfo } from "./group/verify-group-info.ts";
