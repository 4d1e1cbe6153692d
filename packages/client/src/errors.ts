import { LatchkeyError, type LatchkeyErrorOptions } from "@latchkey/mls";

/** What one error code means to whoever meets it. The table of `docs/errors.md` is this one. */
export interface ErrorFacts {
  /** What happened. */
  readonly meaning: string;
  /** What to do about it. */
  readonly action: string;
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean;
}

function permanent(meaning: string, action: string): ErrorFacts {
  return { meaning, action, retryable: false };
}

function transient(meaning: string, action: string): ErrorFacts {
  return { meaning, action, retryable: true };
}

/** Every code this package throws by itself; codes of lower packages pass through unchanged. */
export const ERRORS = {
  INVITE_MALFORMED: permanent("The text or the bytes are no invite.", "Scan the code again or ask for a new link."),
  INVITE_NO_QR: permanent("The image holds no readable QR code.", "Take the picture again, whole and sharp."),
  INVITE_POINTER_OPAQUE: permanent(
    "The invite names its service in a way that only its own application understands.",
    "Open it with that application, or give the client a `resolvePointer`.",
  ),
  INVITE_UNKNOWN_SLOT: transient(
    "The invite service knows nothing under this invite.",
    "Try later or ask for a new link.",
  ),
  INVITE_NO_CANDIDATE: transient(
    "The invite service serves nothing that this invite opens (see `data.reasons`).",
    "Try later or ask for a new link.",
  ),
  INVITE_DISABLED: permanent("The group accepts no joins by invite.", "Ask an admin of the group."),
  INVITE_EXPIRED: permanent("The invite has expired.", "Ask for a new link."),
  INVITE_STALE: transient(
    "What the invite service holds is older than the group.",
    "Try again once a member was online.",
  ),
  INVITE_EXHAUSTED: permanent("The invite has been used as often as it allows.", "Ask for a new link."),
  INVITE_ROTATED: permanent("The invite was replaced by a newer one.", "Ask for the new link."),
  INVITE_SLOT_CLOSED: permanent(
    "The invite's key does not admit to writing its slot at the invite service.",
    "Replace the slot: `rotateInvite({ slot: true })`.",
  ),
  INVITE_LEAVES_BEHIND: permanent(
    "A member's program cannot follow joins by invite and would be left behind (see `data`).",
    "Have them update it, or make the invite with `force`.",
  ),
  ALREADY_MEMBER: permanent("This inbox is a member of the group.", "Open the group instead of joining it."),
  JOIN_LOST: transient("Other changes of the group came first each time.", "Join again."),
  JOIN_TIMEOUT: transient("The join was not done in time.", "Join again; a commit already sent is taken up again."),
  JOIN_ABORTED: permanent("The caller stopped the join.", "Join again if that was not meant."),
  COMMIT_REJECTED: permanent("A change of the group breaks a rule (see `rule`).", "Nothing was changed; report it."),
  NODE_UNREACHABLE: transient("The node or the invite service did not answer.", "Check the address and the network."),
  NODE_REJECTED: permanent(
    "The node or the invite service refused the request.",
    "Check the address and the versions.",
  ),
  RATE_LIMITED: transient("Too many requests.", "Wait `retryAfterMs` and try again."),
  STORE_VERSION: permanent(
    "The database was written by a newer version.",
    "Update this program; the file is untouched.",
  ),
  STORE_FULL: transient("The disk is full; nothing was written.", "Free space and repeat the call."),
  STORE_LOCKED: transient("Another program has the database open.", "Close it there and repeat the call."),
  STORE_DAMAGED: permanent(
    "The file is no database of this program, was damaged, or was copied while it was open.",
    "Put back a copy made while it was closed, or name another path; the file is untouched.",
  ),
  STORE_KEY_MISSING: permanent("The database is encrypted.", "Give the key it was made with."),
  STORE_KEY_WRONG: permanent("The database is encrypted with another key.", "Give the key it was made with."),
  STORE_NOT_ENCRYPTED: permanent(
    "A key was given for a database that is not encrypted.",
    "Give none, or encrypt it with `changeDatabaseKey`.",
  ),
  STORE_FAILED: permanent(
    "The database cannot be used; nothing was written.",
    "Check that the path is right and writable and that its file system has locks.",
  ),
  NOT_A_MEMBER: permanent(
    "This installation, or the sender of a message, is not in the group (any more).",
    "Ask to be added again.",
  ),
  NOT_PERMITTED: permanent("The rules of the group do not allow this to you.", "Ask an admin of the group."),
  INBOX_UNKNOWN: permanent(
    "No such inbox is registered at the node.",
    "Check the id; its owner has to register first.",
  ),
  KEY_PACKAGE_MISSING: permanent(
    "An installation has no usable key package (see `data.installations`).",
    "Open the client on that device once, then repeat.",
  ),
  GROUP_UNSUPPORTED: permanent(
    "The group is of a kind this version cannot handle.",
    "Update this program or the group.",
  ),
  COMMIT_CONFLICT: transient("Other changes of the group came first each time.", "Repeat the call."),
  CLIENT_CLOSED: permanent("The client is closed.", "Create it again."),
  IDENTITY_REVOKED: permanent("This installation was revoked or belongs to no inbox.", "Register a new installation."),
  IDENTITY_MISMATCH: permanent("The database belongs to another wallet.", "Use the wallet it was created with."),
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof ERRORS;

/** An error of the family with `retryable` as its code says, unless told otherwise. */
export function clientError(code: ErrorCode, message: string, options: LatchkeyErrorOptions = {}): LatchkeyError {
  return new LatchkeyError(code, message, { retryable: ERRORS[code].retryable, ...options });
}

/** The beginning of an id: enough to tell one's own devices and contacts apart, and no more, for errors and logs. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…`;
}

/** True for an error of the family whose cause may go away by itself. */
export function isRetryable(error: unknown): boolean {
  return error instanceof LatchkeyError && error.retryable;
}

const OUR_TROUBLE: ReadonlySet<string> = new Set([
  "NODE_UNREACHABLE",
  "NODE_REJECTED",
  "RATE_LIMITED",
  "CLIENT_CLOSED",
]);

/**
 * True when an error is about the network, the store or this program, and so says nothing about the message or the
 * candidate that was being looked at: refusing that one for it would be wrong, and different from what others do.
 */
export function isOurTrouble(error: LatchkeyError): boolean {
  const { code, retryable } = error;
  return retryable || OUR_TROUBLE.has(code) || code.startsWith("STORE_") || code === "MLS_STATE";
}

/** The code of an error of the family. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof LatchkeyError ? error.code : undefined;
}

/**
 * What a check of others' bytes comes to; undefined when it fails with an error of the family: then they are no good. Any
 * other error is a defect of this program, and must not pass for a property of what was looked at.
 */
export async function unlessRefused<T>(check: Promise<T>): Promise<T | undefined> {
  try {
    return await check;
  } catch (error) {
    if (error instanceof LatchkeyError) return undefined;
    throw error;
  }
}
