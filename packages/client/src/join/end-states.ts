import { codeOf, type ErrorCode } from "../errors.ts";

/** How opening an invite ends: what a person is shown, in every program alike. */
export type InviteEndState =
  | "joined"
  | "joined-unconfirmed"
  | "already-in"
  | "device-waits"
  | "full"
  | "expired"
  | "revoked"
  | "out-of-date"
  | "unreachable"
  | "damaged-link"
  | "off"
  | "other-service"
  | "clock-wrong"
  | "not-supported"
  | "too-many-devices"
  | "cancelled"
  | "busy"
  | "this-device";

/** The text of an end, and what to do next; `done` where nothing has to be done. */
export interface EndText {
  readonly text: string;
  readonly next: string;
}

/** What programs show for each end. */
export const INVITE_END_TEXTS: Readonly<Record<InviteEndState, EndText>> = {
  joined: { text: "You are in.", next: "Open the group." },
  "joined-unconfirmed": {
    text: "You are in, but no member has confirmed it yet.",
    next: "Open the group: it is confirmed when a member comes online.",
  },
  "already-in": { text: "You are in this group already.", next: "Open it." },
  "device-waits": {
    text: "Your inbox is in the group, this device is not yet.",
    next: "Open Latchkey on another device of yours, or wait until a member does.",
  },
  full: { text: "The invite has been used as often as it allows.", next: "Ask an admin for a new link." },
  expired: { text: "The invite has expired.", next: "Ask an admin for a new link." },
  revoked: { text: "The invite was revoked or replaced.", next: "Ask an admin for the new link." },
  "out-of-date": {
    text: "The group has changed since somebody was online last.",
    next: "Try again when a member has been online.",
  },
  unreachable: { text: "The service cannot be reached.", next: "Check the network, and try again later." },
  "damaged-link": { text: "This is not a whole invite.", next: "Do as the message says, or scan the code." },
  off: { text: "The group accepts no joins by invite.", next: "Ask an admin to add you." },
  "other-service": {
    text: "The invite belongs to a service that this program does not know.",
    next: "Open it with the application that made it.",
  },
  "clock-wrong": { text: "The clock of this device is wrong.", next: "Set it, and try again." },
  "not-supported": {
    text: "This group or member uses something that this version does not know.",
    next: "Update this program, and try again.",
  },
  "too-many-devices": { text: "Your inbox has too many devices for this group.", next: "Revoke one, and try again." },
  cancelled: { text: "You stopped the join.", next: "Open the invite again if that was not meant." },
  busy: { text: "Many are joining at the moment.", next: "Try again shortly." },
  "this-device": {
    text: "This device cannot store or open what the join needs.",
    next: "Do as the message says, and try again.",
  },
};

/** The end that each code leads to; the compiler demands one for each code there is. */
const ENDS: Readonly<Record<ErrorCode, InviteEndState>> = {
  INVITE_MALFORMED: "damaged-link",
  INVITE_NO_QR: "damaged-link",
  INVITE_POINTER_OPAQUE: "other-service",
  INVITE_UNKNOWN_SLOT: "revoked",
  INVITE_NO_CANDIDATE: "revoked",
  INVITE_DISABLED: "off",
  INVITE_EXPIRED: "expired",
  INVITE_STALE: "out-of-date",
  INVITE_EXHAUSTED: "full",
  INVITE_ROTATED: "revoked",
  INVITE_SLOT_CLOSED: "revoked",
  INVITE_LEAVES_BEHIND: "not-supported",
  INVITE_WRONG_KIND: "damaged-link",
  ALREADY_MEMBER: "already-in",
  DEVICE_WAITS: "device-waits",
  JOIN_LOST: "busy",
  JOIN_TIMEOUT: "busy",
  JOIN_ABORTED: "cancelled",
  COMMIT_REJECTED: "not-supported",
  COMMIT_CONFLICT: "busy",
  NODE_UNREACHABLE: "unreachable",
  NODE_REJECTED: "unreachable",
  RATE_LIMITED: "busy",
  STORE_VERSION: "this-device",
  STORE_FULL: "this-device",
  STORE_LOCKED: "this-device",
  STORE_DAMAGED: "this-device",
  STORE_KEY_MISSING: "this-device",
  STORE_KEY_WRONG: "this-device",
  STORE_NOT_ENCRYPTED: "this-device",
  STORE_FAILED: "this-device",
  QUEUE_FULL: "this-device",
  NOT_A_MEMBER: "revoked",
  GROUP_PARTED: "out-of-date",
  GROUP_CONFLICT: "not-supported",
  GROUP_UNSUPPORTED: "not-supported",
  ARGUMENT_INVALID: "damaged-link",
  NOT_PERMITTED: "off",
  MEMBER_IN_THE_WAY: "not-supported",
  INBOX_UNKNOWN: "out-of-date",
  INBOX_UNVERIFIABLE: "not-supported",
  KEY_PACKAGE_MISSING: "device-waits",
  DEFECT: "not-supported",
  CLIENT_CLOSED: "cancelled",
  CLOCK_WRONG: "clock-wrong",
  IDENTITY_PENDING: "out-of-date",
  IDENTITY_REVOKED: "this-device",
  NOT_RECOVERY: "this-device",
  SIGNER_MISSING: "this-device",
  LINK_MALFORMED: "damaged-link",
  LINK_NOT_EMPTY: "this-device",
  LINK_DISTURBED: "not-supported",
  LINK_FAILED: "not-supported",
  LINK_EXPIRED: "expired",
  LINK_OPEN: "not-supported",
  IDENTITY_MISMATCH: "this-device",
  IDENTITY_MISSING: "this-device",
  IDENTITY_FORGOTTEN: "this-device",
};

/** The end that an error of `previewInvite` or `joinByInvite` leads to; errors of lower packages count as unsupported. */
export function inviteEndOf(error: unknown): InviteEndState {
  const code = codeOf(error);
  return code !== undefined && Object.hasOwn(ENDS, code) ? ENDS[code as ErrorCode] : "not-supported";
}
