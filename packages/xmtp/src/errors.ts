import { LatchkeyError, type LatchkeyErrorOptions } from "@latchkey/mls";

/** Rules of the identity log (XIP-46), by the code that reports a breach. */
export const IDENTITY_RULES = {
  IDENTITY_MALFORMED: "MalformedUpdate",
  IDENTITY_TOO_MANY_UPDATES: "TooManyUpdates",
  IDENTITY_LOG_TOO_LARGE: "LogTooLarge",
  IDENTITY_BAD_SIGNATURE: "InvalidSignature",
  IDENTITY_UNSUPPORTED_SIGNATURE: "UnsupportedSignature",
  IDENTITY_MULTIPLE_CREATE: "MultipleCreate",
  IDENTITY_NOT_CREATED: "NotCreated",
  IDENTITY_REPLAY: "Replay",
  IDENTITY_NEW_MEMBER_MISMATCH: "NewMemberIdSignatureMismatch",
  IDENTITY_SELF_ADD: "SelfAdd",
  IDENTITY_LEGACY_REUSE: "LegacySignatureReuse",
  IDENTITY_SIGNATURE_NOT_ALLOWED: "SignatureNotAllowed",
  IDENTITY_CHAIN_ID_MISMATCH: "ChainIdMismatch",
  IDENTITY_MISSING_EXISTING_MEMBER: "MissingExistingMember",
  IDENTITY_MEMBER_NOT_ALLOWED: "MemberNotAllowed",
  IDENTITY_WRONG_INBOX_ID: "WrongInboxId",
} as const;

export type IdentityErrorCode = keyof typeof IDENTITY_RULES;

/** An identity update is malformed, badly signed or not allowed; `rule` is the name libxmtp gives the rule. */
export class IdentityError extends LatchkeyError {
  declare readonly code: IdentityErrorCode;
  declare readonly rule: string;

  constructor(code: IdentityErrorCode, message: string, options: Omit<LatchkeyErrorOptions, "rule"> = {}) {
    super(code, message, { ...options, rule: IDENTITY_RULES[code] });
  }
}

/** A commit or a group's state breaks an XMTP rule (code `COMMIT_REJECTED`); `rule` names it as XIP-82 and libxmtp do. */
export class CommitRejectedError extends LatchkeyError {
  declare readonly code: "COMMIT_REJECTED";
  declare readonly rule: string;

  constructor(rule: string, message: string, options: Omit<LatchkeyErrorOptions, "rule"> = {}) {
    super("COMMIT_REJECTED", message, { ...options, rule });
  }
}

/** An inbox at a point of its identity log. */
export interface IdentityPoint {
  readonly inboxId: string;
  readonly sequenceId: bigint;
}

/** A commit or a group's state names an update that the identity log, as far as it is known, does not hold (IDN-02). */
export class MissingIdentityError extends CommitRejectedError {
  readonly point: IdentityPoint;

  constructor(point: IdentityPoint) {
    super("MissingIdentityUpdate", "the identity log of an inbox does not hold the update that the group records");
    this.point = point;
  }
}

export type JoinErrorCode =
  | "INVITE_MALFORMED"
  | "INVITE_NO_CANDIDATE"
  | "INVITE_DISABLED"
  | "INVITE_EXPIRED"
  | "INVITE_STALE"
  | "INVITE_EXHAUSTED"
  | "INVITE_ROTATED"
  | "ALREADY_MEMBER"
  | "GROUP_UNSUPPORTED";

/** Codes that a later try may not meet again: the slot's blob is replaced by every commit. */
const RETRYABLE: ReadonlySet<JoinErrorCode> = new Set(["INVITE_NO_CANDIDATE", "INVITE_STALE"]);

/** An invite cannot be used, found out before anything was sent. */
export class JoinError extends LatchkeyError {
  declare readonly code: JoinErrorCode;

  constructor(code: JoinErrorCode, message: string, options: Omit<LatchkeyErrorOptions, "retryable"> = {}) {
    super(code, message, { ...options, retryable: RETRYABLE.has(code) });
  }
}
