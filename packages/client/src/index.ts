export { LatchkeyError } from "@latchkey/mls";
export type { ErrorScope } from "@latchkey/mls";
export { Client } from "./api/client.ts";
export { Conversations } from "./api/conversations.ts";
export type { JoinedGroup, UnsupportedGroup } from "./api/conversations.ts";
export type { GroupOptions } from "./api/group-options.ts";
export { Group } from "./api/group.ts";
export { GroupInvites } from "./api/group-invites.ts";
export type { InviteJoin, Member, Message, MessageGap, Rejection, Removal } from "./api/views.ts";
export type { Hint, HintKind } from "./group/hints.ts";
export type { Cancellation } from "./group/queue.ts";
export type { FailedMessage, FailedMessageListener, QueuedMessage } from "./store/queued-message.ts";
export type { SendOptions } from "./group/send.ts";
export type { AbsentRole, Role } from "./group/absent-roles.ts";
export type { AddOptions } from "./group/add-members.ts";
export type { Addition } from "./group/addition.ts";
export type { UnusableInbox } from "./group/adds.ts";
export type { LeftOutInstallation } from "./group/installations.ts";
export type { KeyPackageFault, UnusableInstallation } from "./identity/key-package-faults.ts";
export type { RevocationEnvironment, RevokeOptions, SignedCallOptions } from "./identity/account-changes.ts";
export type { Account, InboxState, RegisteredInstallation } from "./identity/inbox-state.ts";
export type { RevokedMember } from "./identity/revocation.ts";
export type { Installation, MissingGroup } from "./group/own-installations.ts";
export { decodeContent, encodeContent } from "./api/content.ts";
export {
  attachmentCodec,
  decryptAttachment,
  encryptAttachment,
  groupUpdatedCodec,
  leaveRequestCodec,
  markdownCodec,
  reactionCodec,
  readReceiptCodec,
  remoteAttachmentCodec,
  replyCodec,
  textCodec,
  transactionReferenceCodec,
} from "@latchkey/xmtp";
export type {
  Attachment,
  AttachmentKeys,
  CodedContent,
  ContentCodec,
  EncryptedAttachment,
  GroupUpdate,
  MetadataChange,
  Reaction,
  RemoteAttachment,
  Reply,
  TransactionMetadata,
  TransactionReference,
} from "@latchkey/xmtp";
export { PERMISSION_POLICIES, REGULATED_ACTIONS } from "@latchkey/xmtp";
export type { DisappearingSettings, GroupPermissionSet, PermissionPolicy, RegulatedAction } from "@latchkey/xmtp";
export type { GroupStatus, JoinState } from "./store/records.ts";
export type {
  ExternalInvite,
  ExternalInviteOptions,
  InviteChanges,
  InviteOptions,
  RefreshOptions,
  RotateOptions,
} from "./invite/issue.ts";
export type { CallOptions } from "./public-calls.ts";
export type { RemoveOptions } from "./group/remove-members.ts";
export { imageKind } from "./invite/image.ts";
export type { ImageKind } from "./invite/image.ts";
export { inspectInvite } from "./invite/invite.ts";
export type { Invite, InviteSummary } from "./invite/invite.ts";
export type { ChecksumState } from "./invite/links/surroundings.ts";
export type { KeepFreshOptions } from "./upkeep/keep-invites-fresh.ts";
export type { PosterOptions } from "./invite/poster.ts";
export type { QrFormat } from "./invite/qr.ts";
export type { QrBitmap } from "./qr-bitmap.ts";
export type { ResolvedPointer } from "./transport/slot-service.ts";
export { httpSlots, slotKeys } from "./invite/slots.ts";
export type { SlotKey } from "./invite/slots.ts";
export type { Slot, SlotContents, SlotCredentials, SlotFetchOptions, SlotService } from "./transport/slot-service.ts";
export type {
  BroughtHistory,
  DeviceCode,
  LinkDeviceOptions,
  LinkedDevice,
  LinkNewDeviceOptions,
  LinkProgress,
  LinkProgressListener,
  MissedGroup,
} from "./link/options.ts";
export type { JoinOptions } from "./join/options.ts";
export type { JoinProgress, JoinStep, ProgressListener } from "./join/progress.ts";
export type { Permission, ServicePointer } from "@latchkey/xmtp";
export type { InvitePreview } from "./join/preview.ts";
export { previewInvite } from "./join/preview-alone.ts";
export type { PreviewEnvironment, Unchecked, UncheckedPreview } from "./join/preview-alone.ts";
export { INVITE_END_TEXTS, inviteEndOf } from "./join/end-states.ts";
export type { EndText, InviteEndState } from "./join/end-states.ts";
export type { PendingJoin } from "./join/resume.ts";
export type { WaitingReason } from "./join/device-waits.ts";
export type { Defect, DefectListener } from "./store/defects.ts";
export type { Claim, Conflict } from "./upkeep/conflicts.ts";
export { newRecoveryWords, recoverySigner } from "./identity/recovery-words.ts";
export type { Environment } from "./identity/environment.ts";
export { systemClock } from "./clock.ts";
export type { Clock, SleepOptions } from "./clock.ts";
export { ClientError, ERRORS, codeOf, isRetryable } from "./errors.ts";
export type { ErrorCode, ErrorFacts } from "./errors.ts";
export { CLIENT_LIMITS } from "./limits.ts";
export { MemoryDatabase } from "./store/memory-store.ts";
export { TABLE_KEYS } from "./store/store.ts";
export type { ReadTable, ReadTables, Store, Table, TableName, Tables } from "./store/store.ts";
export { connectTransport } from "./transport/connect-transport.ts";
export type {
  Envelope,
  IdentityLogEntry,
  OutgoingMessage,
  Page,
  Position,
  Transport,
  WelcomeEnvelope,
} from "./transport/transport.ts";
