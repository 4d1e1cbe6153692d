/**
 * What the client keeps on disk, one interface per table. Fields hold bytes, text or 64-bit integers; a field that may
 * be absent is `undefined`. Times are nanoseconds.
 */

/**
 * How the other rows are sealed, in a database that is encrypted; there is one row, `name` is always "self". It is never
 * sealed itself: opening begins with it.
 */
export interface EncryptionRecord {
  readonly name: "self";
  /** 32 random bytes that the keys of this database are derived with. */
  readonly salt: Uint8Array;
  /** Opens under the right key only. */
  readonly check: Uint8Array;
}

/** This installation; there is one row, `name` is always "self". */
export interface IdentityRecord {
  readonly name: "self";
  readonly inboxId: string;
  /** The wallet's address, lower case. */
  readonly address: string;
  readonly signaturePrivateKey: Uint8Array;
  readonly signaturePublicKey: Uint8Array;
  /** 42 bytes from which `sender_hmac` keys are derived. */
  readonly hmacRoot: Uint8Array;
  readonly welcomeCursor: bigint;
  /** At most `welcomeCursor`, as for groups. */
  readonly welcomeCheckedId: bigint;
  /** 1 once the installation stands in the identity log. */
  readonly registered: bigint;
  /** 1 once all kept messages have a row in `messageIds`; 0 in a database of an earlier version. */
  readonly messagesMarked: bigint;
}

/** A key package of this installation with its private keys. */
export interface KeyPackageRecord {
  readonly reference: Uint8Array;
  readonly initKey: Uint8Array;
  readonly bundle: Uint8Array;
  /** X-Wing private key for Welcomes; empty for a key package from before it was offered. */
  readonly wrapperPrivateKey: Uint8Array;
  readonly uploaded: bigint;
  /** When a newer one took its place; it still opens Welcomes for a while. */
  readonly retiredAtNs: bigint | undefined;
}

/** A pointer to a Welcome that was not there yet. */
export interface WaitingWelcomeRecord {
  /** Id of the pointer's envelope. */
  readonly id: bigint;
  readonly createdNs: bigint;
  readonly hpkePublicKey: Uint8Array;
  /** Still wrapped. */
  readonly welcomePointer: Uint8Array;
}

/**
 * Where this installation stands in a group.
 *
 * - `pending`: it joined or came back, and no member has shown yet to be in the same epoch.
 * - `confirmed`: a member has.
 * - `refused`: the group went on without the join by invite that led here.
 * - `parted`: there is proof that the group went on without this installation's state; nothing can be sent.
 * - `removed`: a commit removed this installation.
 */
export type GroupStatus = "pending" | "confirmed" | "refused" | "parted" | "removed";

/**
 * What an entry is for. Several histories can claim one group id; at most one of them is `shown`.
 *
 * - `shown`: the group of that id.
 * - `archived`: a history that was shown before; its messages stay readable.
 * - `claim`: a history that a Welcome brought and nobody has chosen; nothing of its content is shown.
 * - `kept`: the state before a return that no member has confirmed yet.
 */
export type EntryRole = "shown" | "archived" | "claim" | "kept";

/** One history of a group that this installation is in or was in. */
export interface GroupRecord {
  /** The key of the entry: the group's id where the history is shown, 16 random bytes otherwise. */
  readonly groupId: Uint8Array;
  /** The id of the MLS group, which is the topic of its log. */
  readonly mlsGroupId: Uint8Array;
  readonly role: EntryRole;
  /** Id of the last envelope of the group's log that was dealt with. */
  readonly cursor: bigint;
  /** At most `cursor`: an id that a later answer of the node has shown to be one of the log's, or 0. */
  readonly checkedId: bigint;
  /** Envelope time of the commit or Welcome that began the current epoch here. */
  readonly epochEnteredAtNs: bigint;
  /**
   * Id of the newest envelope that keeps strangers out of the present epoch until a member's blob says that it was read:
   * a commit that claims to end the epoch and was refused, or the join that came in behind such a one. 0 for none.
   */
  readonly contestedId: bigint;
  /** Id of the envelope that began the present epoch here, or that ended the membership; 0 before the first. */
  readonly lastCommitId: bigint;
  readonly createdAtNs: bigint;
  readonly status: GroupStatus;
  /** 1 once a third inbox has spoken in this history, or where this person made or chose it. */
  readonly proven: bigint;
  /** 0 after removal. */
  readonly active: bigint;
}

/** One row of the MLS state. */
export interface GroupRow {
  readonly groupId: Uint8Array;
  readonly rowKey: string;
  readonly value: Uint8Array;
}

/** An application message that was read from the log. */
export interface MessageRecord {
  readonly groupId: Uint8Array;
  /** Id of its envelope. */
  readonly id: bigint;
  /** In hex: SHA-256 over group, idempotency key and content; the same message sent twice has it twice. */
  readonly messageId: string;
  readonly senderInboxId: string;
  readonly senderInstallationId: string;
  readonly sentAtNs: bigint;
  /** As in `xmtp.org/text:1.0`. */
  readonly contentType: string;
  /** For text messages. */
  readonly text: string | undefined;
  /** The EncodedContent as sent. */
  readonly content: Uint8Array;
  /** Id of the own installation that brought it when this one was linked; undefined for what was read from the log. */
  readonly broughtBy: string | undefined;
}

/**
 * Where a queued message stands.
 *
 * - `waiting`: it leaves with the next sync, again if need be, until it is read back.
 * - `failed`: it is sent no more.
 * - `cancelled`: the application has cancelled it after a copy may have left; kept to know that copy again.
 */
export type OutboxState = "waiting" | "failed" | "cancelled";

/** A message that was encrypted and has not been read back. */
export interface OutboxRecord {
  readonly groupId: Uint8Array;
  /** Order of sending. */
  readonly queueId: bigint;
  readonly messageId: string;
  /** Epoch of `message`; -1 where it is encrypted when it leaves: nothing was read yet, or its state is of another history. */
  readonly epoch: bigint;
  /** The MLSMessage as it is published, again and again if need be. */
  readonly message: Uint8Array;
  /** SHA-256 of `message`. */
  readonly messageHash: Uint8Array;
  /** The PlaintextEnvelope, to encrypt it anew when the epoch has ended. */
  readonly plaintext: Uint8Array;
  /** 1 where people are to be woken by it. */
  readonly shouldPush: bigint;
  /** By the clock of this client; 0 for one of a version that did not note it. */
  readonly queuedAtNs: bigint;
  readonly state: OutboxState;
  /** Why it failed. */
  readonly errorCode: string | undefined;
  /** 1 once a copy may have left. */
  readonly mayHaveLeft: bigint;
  /** Copies of earlier epochs that may have left, as `encodeCopies` writes them. */
  readonly copies: Uint8Array;
  /** Mark of the caller's idempotency key; empty for none. */
  readonly keyMark: Uint8Array;
  /** 1 once the application was told that it failed. */
  readonly told: bigint;
}

/**
 * A message that was kept once; it stays when the message disappears, so that a later copy of it is not kept again. See
 * `group/message-ids.ts`.
 */
export interface MessageIdRecord {
  readonly groupId: Uint8Array;
  /** Keyed hash of the sender's installation and the message id, or of the own idempotency key: 16 bytes. */
  readonly mark: Uint8Array;
  /** 32 bytes. */
  readonly messageId: Uint8Array;
  /** Id of the envelope. */
  readonly id: bigint;
  readonly sentAtNs: bigint;
}

/** A commit of this member that has not been read back; at most one per group. */
export interface PendingCommitRecord {
  readonly groupId: Uint8Array;
  /** Epoch that the commit ends. */
  readonly epoch: bigint;
  readonly message: Uint8Array;
  readonly messageHash: Uint8Array;
  /** Rows of the next epoch, as `encodeRows` writes them. */
  readonly rows: Uint8Array;
  readonly welcome: Uint8Array | undefined;
  /** Key packages that the Welcome is for, as `encodeRecipients` writes them. */
  readonly recipients: Uint8Array;
  /**
   * What the commit does to a renewal of the invite. Undefined: nothing. Empty: it writes the policy, which ends one. Else
   * the template of the renewal that it begins.
   */
  readonly renewal: Uint8Array | undefined;
  /** Points of identity logs that the commit names, as `encodeIdentityPoints` writes them. */
  readonly identities: Uint8Array;
}

/**
 * A renewal of the invite that a removal began: the removing commit turned the invite off, a later one turns it on again.
 * There is no secret in it, because every attempt mints the key anew.
 */
export interface InviteRenewalRecord {
  readonly groupId: Uint8Array;
  /** The policy that the removing commit left: bytes of the component, off. */
  readonly policy: Uint8Array;
  /** Limits and services of the next invite, as `encodePolicyTemplate` writes them. */
  readonly template: Uint8Array;
  /** When this installation may take it up: at once after an own removal, later after that of another one. */
  readonly dueNs: bigint;
}

/** Where a join stands; see `join/journal.ts`. */
export type JoinState = "PREPARED" | "PUBLISHED" | "CONTESTED" | "SEQUENCED" | "JOINED" | "WAITING";

/** A join by invite under way; the row goes when the join is confirmed or lost. */
export interface JoinRecord {
  readonly groupId: Uint8Array;
  readonly state: JoinState;
  /** The ExternalInvitePayload, with its key. */
  readonly invite: Uint8Array;
  /** Epoch that the commit ends. */
  readonly epoch: bigint;
  /** Id of the newest envelope of the group's log when the commit was built. */
  readonly logCursor: bigint;
  readonly message: Uint8Array;
  readonly messageHash: Uint8Array;
  /** Rows of the group at the epoch that the commit begins; empty once they are the group's own. */
  readonly rows: Uint8Array;
  readonly welcome: Uint8Array | undefined;
  readonly recipients: Uint8Array;
  readonly commitId: bigint | undefined;
  readonly commitCreatedNs: bigint | undefined;
  readonly startedAtNs: bigint;
  /** Update of the own identity log that the commit names. */
  readonly identityId: bigint;
  /** Time from which on members may find the epoch too old for the invite, as the blob says; 0 for none. */
  readonly staleAtNs: bigint;
}

/** Work that a merged commit leaves behind; repeated until it is done. */
export interface FollowUpRecord {
  readonly groupId: Uint8Array;
  readonly followUpId: bigint;
  /** `welcome`: one WelcomeMessageInput to send. `refresh`: a fresh blob for the slots of the active invite. */
  readonly kind: "welcome" | "refresh";
  /** `welcome`: the message. `refresh`: the invite payload that was scanned, or nothing. */
  readonly payload: Uint8Array;
  readonly attempts: bigint;
}

/** A verified entry of somebody's identity log. */
export interface IdentityUpdateRecord {
  readonly inboxId: string;
  readonly sequenceId: bigint;
  readonly serverTimestampNs: bigint;
  readonly update: Uint8Array;
}

/** What the signatures of one update of an identity log were found to be, with the digest of that update. */
export interface IdentityVerdictRecord {
  readonly inboxId: string;
  readonly sequenceId: bigint;
  readonly verdict: Uint8Array;
}

/** Somebody who came in by an invite, as this installation saw it happen. */
export interface AdmissionRecord {
  readonly groupId: Uint8Array;
  /** Id of the envelope of the external commit. */
  readonly id: bigint;
  readonly inboxId: string;
  readonly externalGroupId: Uint8Array;
  /** Envelope time of the commit. */
  readonly admittedAtNs: bigint;
}

/** A member that asked to be taken out of the group. */
export interface LeaveRequestRecord {
  readonly groupId: Uint8Array;
  readonly inboxId: string;
}

/** A group of the form before app data that this installation was added to. */
export interface UnsupportedGroupRecord {
  readonly groupId: Uint8Array;
  readonly addedAtNs: bigint;
}

/** When a message is to disappear. */
export interface ExpiryRecord {
  readonly groupId: Uint8Array;
  readonly expiresAtNs: bigint;
  /** Of the message. */
  readonly id: bigint;
}

/** What once admitted to writing the slot of a group's invite; see `group/slot-credentials.ts`. */
export interface SlotCredentialsRecord {
  readonly groupId: Uint8Array;
  /** The slot. */
  readonly externalGroupId: Uint8Array;
  /** As 0.1.0 derived them: 32 bytes each, newest first; secret. Nothing is added to them. */
  readonly credentials: Uint8Array;
  /** Of the keys since then, see `slotWriteSecret`: 32 bytes each, newest first; secret. */
  readonly secrets: Uint8Array;
}

/** An envelope, or a Welcome, that could not be dealt with because of a defect of this program. */
export interface DefectRecord {
  /** Empty for Welcomes. */
  readonly groupId: Uint8Array;
  readonly id: bigint;
  /** Syncs in which it failed, each at least `defectIntervalNs` after the one before. */
  readonly syncs: bigint;
  /** When it was counted last, by the clock of this client. */
  readonly countedAtNs: bigint;
}

/** An envelope that was refused for good. */
export interface RejectionRecord {
  readonly groupId: Uint8Array;
  readonly id: bigint;
  readonly code: string;
  readonly rule: string | undefined;
  readonly message: string;
}

/** How this installation came by a history, and what it does about doubts. */
export interface HistoryRecord {
  readonly groupId: Uint8Array;
  /** The 32 bytes of the inbox that signed the Welcome; empty for a group that was created or joined by invite. */
  readonly welcomedBy: Uint8Array;
  /** The installation's signature key; as long, or empty. */
  readonly signerKey: Uint8Array;
  /** 1 when that inbox was a super admin of the last good epoch here: its own word confirms the return. */
  readonly trusted: bigint;
  /** What proved that this installation is parted. */
  readonly proof: string | undefined;
  /** When slots were asked last because of doubts. */
  readonly askedAtNs: bigint;
  /** When super admins were asked last to add this installation again. */
  readonly requestedAtNs: bigint;
}

/** What makes it doubtful that this installation follows the group; see `group/hints.ts`. */
export interface HintRecord {
  readonly groupId: Uint8Array;
  readonly kind: "unreadable" | "commit-not-applied" | "defect";
  /** Of the newest envelope. */
  readonly id: bigint;
  readonly createdNs: bigint;
  readonly count: bigint;
  /** The 32 bytes of the committer's inbox id, where one is known. */
  readonly committer: Uint8Array;
}

/** A stretch of the log that this installation could not read, between two of its memberships. */
export interface GapRecord {
  readonly groupId: Uint8Array;
  /** The last commit that was followed. */
  readonly fromId: bigint;
  /** The commit that led back. */
  readonly toId: bigint;
}

/** An installation that asked to be added again, and when it was. */
export interface ReaddRecord {
  readonly groupId: Uint8Array;
  readonly installationKey: Uint8Array;
  /** The 32 bytes of its inbox id. */
  readonly inboxId: Uint8Array;
  readonly requestedAtNs: bigint;
  /** 0 while it was not. */
  readonly doneAtNs: bigint;
}

/** A group that was forgotten here. */
export interface ForgottenGroupRecord {
  readonly groupId: Uint8Array;
  /** How far its log was read. */
  readonly cursor: bigint;
  readonly forgottenAtNs: bigint;
}
