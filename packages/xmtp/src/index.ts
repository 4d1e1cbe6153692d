export { CommitRejectedError, IDENTITY_RULES, IdentityError, JoinError, MissingIdentityError } from "./errors.ts";
export type { IdentityPoint, IdentityErrorCode, JoinErrorCode } from "./errors.ts";
export { XMTP_LIMITS } from "./limits.ts";
export {
  deriveInboxId,
  ethereumIdentifier,
  identifierKey,
  installationIdentifier,
  isInboxId,
  rootIdentifier,
  sameIdentifier,
} from "./identity/identifier.ts";
export type { Identifier, RootIdentifier } from "./identity/identifier.ts";
export { InstallationKey } from "./identity/installation-key.ts";
export { localWallet } from "./identity/eip191.ts";
export type { WalletSigner } from "./identity/eip191.ts";
export { identityUpdateText } from "./identity/signature-text.ts";
export { AssociationState } from "./identity/association-state.ts";
export type { InboxMember } from "./identity/association-state.ts";
export { applyIdentityUpdate, applyVerifiedUpdate, replayIdentityLog, sizeWith } from "./identity/apply-update.ts";
export { readIdentityUpdate, verifyIdentityUpdate, withVerifiedSignatures } from "./identity/verify-update.ts";
export type { UnverifiedIdentityUpdate, VerifiedAction, VerifiedIdentityUpdate } from "./identity/verify-update.ts";
export { verifySignature } from "./identity/signature.ts";
export { judgeSignatures } from "./identity/judge-signatures.ts";
export { overruledByRule, RULE_CURVES, type Ed25519phCheck, type IdentityCurves } from "./identity/identity-curves.ts";
export { decodeSignatureVerdict, encodeSignatureVerdict } from "./identity/signature-verdict.ts";
export type { SignatureVerdict } from "./identity/signature-verdict.ts";
export { contractSignature } from "./identity/contract-signature.ts";
export type { ContractSignature } from "./identity/contract-signature.ts";
export type { VerifiedSignature } from "./identity/signature.ts";
export {
  addAccountUpdate,
  addInstallationUpdate,
  changeRecoveryUpdate,
  createInboxUpdate,
  revokeInstallationUpdate,
  revokeMembersUpdate,
} from "./identity/build-update.ts";
export { deviceLinkText, deviceLinkUpdate } from "./identity/device-link.ts";
export type { DeviceLink, DeviceLinkSignatures } from "./identity/device-link.ts";
export {
  FOLLOWS_EXTERNAL_COMMITS,
  IDENTITY_AS_OF_HEADER,
  LEGACY_EXTENSION_TYPES,
  XMTP_CIPHER_SUITE,
  XMTP_EXTENSION_TYPE,
  XMTP_PROTOCOL_VERSION,
} from "./protocol.ts";
export { decodeMlsCredential, encodeMlsCredential, leafInboxId } from "./credential.ts";
export {
  createInstallationKeyPackage,
  followsExternalCommits,
  installationCapabilities,
  installationLeaf,
  verifyInstallationKeyPackage,
} from "./key-package.ts";
export type { InstallationKeyPackage } from "./key-package.ts";
export { COMPONENT } from "./app-data/component.ts";
export { BYTES_KEY, COMPONENT_ID_KEY, INBOX_ID_KEY } from "./app-data/keys.ts";
export type { KeyCodec } from "./app-data/keys.ts";
export { applyMapDelta, decodeMapDelta, decodeTlsMap, encodeMapDelta, encodeTlsMap } from "./app-data/tls-map.ts";
export type { MapMutation, TlsMap } from "./app-data/tls-map.ts";
export { applySetDelta, decodeSetDelta, decodeTlsSet, encodeSetDelta, encodeTlsSet } from "./app-data/tls-set.ts";
export type { SetMutation } from "./app-data/tls-set.ts";
export { appDataUpdate, appDataUpdatesOf, applyAppDataUpdates, mergeAppData } from "./app-data/apply.ts";
export type { ComponentUpdate } from "./app-data/apply.ts";
export type { ComponentRegistry, GroupPermissions } from "./app-data/registry.ts";
export { isPermissible, PERMISSION_POLICIES, permissionUpdate, REGULATED_ACTIONS } from "./app-data/permissions.ts";
export type { GroupPermissionSet, PermissionPolicy, RegulatedAction } from "./app-data/permissions.ts";
export { membershipDelta, membershipInsert } from "./app-data/membership.ts";
export type { MembershipEntry, MembershipMutation } from "./app-data/membership.ts";
export {
  adminListDelta,
  registerExternalCommitPolicy,
  stringUpdate,
  superAdminListDelta,
  timeUpdate,
} from "./app-data/updates.ts";
export type { ListMutation } from "./app-data/updates.ts";
export { newGroupExtensions } from "./app-data/new-group.ts";
export type { NewGroup } from "./app-data/new-group.ts";
export { isMigrated, permissionOf, readDisappearing, readGroupState } from "./app-data/group-state.ts";
export type { DisappearingSettings, GroupState, Permission } from "./app-data/group-state.ts";
export {
  changePolicy,
  countUses,
  decodePolicyTemplate,
  effectiveExpiryNs,
  enablePolicy,
  encodePolicyTemplate,
  policyFromTemplate,
  policyTemplate,
  policyUpdate,
  revokePolicy,
  rotatePolicyKey,
  validatePolicyV1,
} from "./invite/policy.ts";
export { readPolicy } from "./invite/read-policy.ts";
export type { InviteRotation, PolicySettings } from "./invite/policy.ts";
export { isHttpsUrl, pointerText, readServicePointer, serviceOrigin } from "./invite/service-pointer.ts";
export type { ServicePointer } from "./invite/service-pointer.ts";
export { decodeInvitePayload, encodeInvitePayload } from "./invite/payload.ts";
export type { InvitePayload } from "./invite/payload.ts";
export { fromBase64Url, inviteUrl, parseInviteUrl, toBase64Url } from "./invite/url.ts";
export { slotCredential, slotCredentialV1, slotWriteSecret } from "./invite/slot-credential.ts";
export { groupStateHash, peekBlob, unwrapGroupInfo, wrapGroupInfo } from "./invite/blob.ts";
export type { GroupInfoBlob, UnwrappedGroupInfo } from "./invite/blob.ts";
export { padGroupInfo } from "./invite/group-info-padding.ts";
export { encodeGroupInfoHints, readGroupInfoHints } from "./invite/group-info-hints.ts";
export type { GroupInfoHints } from "./invite/group-info-hints.ts";
export { compareCandidates, selectCandidates } from "./invite/candidates.ts";
export type { Candidate, CandidateSelection, RejectedCandidate } from "./invite/candidates.ts";
export { welcomeKeyOf } from "./welcome/key.ts";
export type { WelcomeKey } from "./welcome/key.ts";
export { welcomeMessages } from "./welcome/messages.ts";
export { oneshotExtensions, readOneshot } from "./welcome/oneshot.ts";
export type { OneshotGroup, ReaddRequest } from "./welcome/oneshot.ts";
export { openPointee, unwrapPointer } from "./welcome/pointer.ts";
export type { WelcomePointer, WrappedPointer } from "./welcome/pointer.ts";
export { unwrapWelcome } from "./welcome/wrap.ts";
export type { WelcomeContent, WelcomeKeyPair, WrappedWelcome } from "./welcome/wrap.ts";
export { HMAC_ROOT_BYTES, senderHmac } from "./sender-hmac.ts";
export { attachmentCodec } from "./content/attachment.ts";
export type { Attachment } from "./content/attachment.ts";
export { decryptAttachment, encryptAttachment } from "./content/attachment-encryption.ts";
export type { EncryptedAttachment } from "./content/attachment-encryption.ts";
export { isReadBy, parseContentType } from "./content/codec.ts";
export type { CodedContent, ContentCodec, ContentTypeParts } from "./content/codec.ts";
export { joinReceiptCodec } from "./content/join-receipt.ts";
export { groupUpdatedCodec } from "./content/group-updated.ts";
export type { GroupUpdate, MetadataChange } from "./content/group-updated.ts";
export { leaveRequestCodec } from "./content/leave-request.ts";
export {
  decodeMessageContent,
  decodeWith,
  encodeContent,
  encodeMessageContent,
  encodeTextMessage,
  encodeWith,
  messageId,
  readContent,
} from "./content/message-content.ts";
export type { IncomingContent, OutgoingContent } from "./content/message-content.ts";
export { markdownCodec } from "./content/markdown.ts";
export { reactionCodec } from "./content/reaction.ts";
export type { Reaction } from "./content/reaction.ts";
export { readReceiptCodec } from "./content/read-receipt.ts";
export { remoteAttachmentCodec } from "./content/remote-attachment.ts";
export type { AttachmentKeys, RemoteAttachment } from "./content/remote-attachment.ts";
export { replyCodec } from "./content/reply.ts";
export type { Reply } from "./content/reply.ts";
export { textCodec } from "./content/text.ts";
export { transactionReferenceCodec } from "./content/transaction-reference.ts";
export type { TransactionMetadata, TransactionReference } from "./content/transaction-reference.ts";
export type { ExternalCommitPolicyV1 } from "./proto.ts";
export { checkMessageFraming } from "./validators/common.ts";
export type { IdentityResolver, Leaves, SettledIdentity, TreeMember } from "./validators/common.ts";
export { validateMemberCommit } from "./validators/member-commit.ts";
export type { MemberCommitInput } from "./validators/member-commit.ts";
export { validateExternalCommit, validateJoinTimes } from "./validators/external-commit.ts";
export type { ExternalCommitInput } from "./validators/external-commit.ts";
export { checkWelcomedGroup, validateWelcome } from "./validators/welcome.ts";
export type { WelcomedGroup } from "./validators/welcome.ts";
export { saturatedNs } from "./numbers.ts";
export { membershipIdentities, requiredIdentities, requireIdentities } from "./validators/required-identities.ts";
export { checkJoinable } from "./validators/joinable.ts";
export type { JoinableGroup, JoinableInput } from "./validators/joinable.ts";
