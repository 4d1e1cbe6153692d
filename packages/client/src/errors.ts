import { LatchkeyError, type ErrorScope, type LatchkeyErrorOptions } from "@latchkey/mls";

/** What one error code means to whoever meets it. The table of `docs/errors.md` is this one. */
export interface ErrorFacts {
  /** What happened. */
  readonly meaning: string;
  /** What to do about it. */
  readonly action: string;
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean;
  /** Where it arises, unless the place that throws knows better. */
  readonly scope: ErrorScope;
}

function permanent(scope: ErrorScope, meaning: string, action: string): ErrorFacts {
  return { meaning, action, retryable: false, scope };
}

function transient(scope: ErrorScope, meaning: string, action: string): ErrorFacts {
  return { meaning, action, retryable: true, scope };
}

/** Every code this package throws by itself; codes of lower packages pass through unchanged. */
export const ERRORS = {
  INVITE_MALFORMED: permanent(
    "message",
    "The text or the bytes are not a valid invite (see `rule`).",
    "Scan the code again or ask for a new link.",
  ),
  INVITE_NO_QR: permanent(
    "message",
    "The file shows no readable QR code, or is not a picture that is read (see the message).",
    "Do as the message says: take the picture again, cut it down to the code, or save it as another kind.",
  ),
  INVITE_POINTER_OPAQUE: permanent(
    "message",
    "The invite names its service in a way that only its own application understands.",
    "Open it with that application, or give the client a `resolvePointer`.",
  ),
  INVITE_UNKNOWN_SLOT: transient(
    "message",
    "The invite service knows nothing under this invite.",
    "Try later or ask for a new link.",
  ),
  INVITE_NO_CANDIDATE: transient(
    "message",
    "The invite service serves nothing that this invite opens (see `data.reasons`).",
    "Try later or ask for a new link.",
  ),
  INVITE_DISABLED: permanent("message", "The group accepts no joins by invite.", "Ask an admin of the group."),
  INVITE_EXPIRED: permanent("message", "The invite has expired.", "Ask for a new link."),
  INVITE_STALE: transient(
    "message",
    "What the invite service holds is older than the group.",
    "Try again once a member was online.",
  ),
  INVITE_EXHAUSTED: permanent("message", "The invite has been used as often as it allows.", "Ask for a new link."),
  INVITE_ROTATED: permanent("message", "The invite was replaced by a newer one.", "Ask for the new link."),
  INVITE_SLOT_CLOSED: permanent(
    "message",
    "The invite's key does not admit to writing its slot at the invite service.",
    "Replace the slot: `group.invites.rotate({ slot: true })`.",
  ),
  INVITE_LEAVES_BEHIND: permanent(
    "caller",
    "A member's program cannot follow joins by invite and would be left behind (see `data`).",
    "Have them update it, or make the invite with `force`.",
  ),
  INVITE_WRONG_KIND: permanent(
    "message",
    "The code links a device to an inbox; it is not an invite to a group.",
    "Use it in the list of devices, and only if you have begun that yourself.",
  ),
  ALREADY_MEMBER: permanent("message", "This inbox is a member of the group.", "Open the group instead of joining it."),
  DEVICE_WAITS: transient(
    "message",
    "This inbox is in the group and this device is not yet (see `data.reason`).",
    "Sync another device of yours, or wait until a member is online; it is in `listPendingJoins()` until then.",
  ),
  JOIN_LOST: transient("availability", "Other changes of the group came first each time.", "Join again."),
  JOIN_TIMEOUT: transient(
    "availability",
    "The join was not done in time.",
    "Join again; a commit already sent is taken up again.",
  ),
  JOIN_ABORTED: permanent("availability", "The caller stopped the join.", "Join again if that was not meant."),
  COMMIT_REJECTED: permanent(
    "message",
    "A change of the group breaks a rule (see `rule`).",
    "Nothing was changed; report it.",
  ),
  NODE_UNREACHABLE: transient(
    "availability",
    "The node or the invite service did not answer.",
    "Check the address and the network. A message with `data.queued` waits in `group.queue()`; do not send it again.",
  ),
  NODE_REJECTED: permanent(
    "availability",
    "The node or the invite service refused the request.",
    "Check the address and the versions.",
  ),
  RATE_LIMITED: transient("availability", "Too many requests.", "Wait `retryAfterMs` and try again."),
  STORE_VERSION: permanent(
    "availability",
    "The database was written by a newer version.",
    "Update this program; the file is untouched.",
  ),
  STORE_FULL: transient("availability", "The disk is full; nothing was written.", "Free space and repeat the call."),
  STORE_LOCKED: transient(
    "availability",
    "Another program has the database open.",
    "Close it there and repeat the call.",
  ),
  STORE_DAMAGED: permanent(
    "availability",
    "The file is no database of this program, was damaged, or was copied while it was open.",
    "Put back a copy made while it was closed, or name another path; the file is untouched.",
  ),
  STORE_KEY_MISSING: permanent("caller", "The database is encrypted.", "Give the key it was made with."),
  STORE_KEY_WRONG: permanent("caller", "The database is encrypted with another key.", "Give the key it was made with."),
  STORE_NOT_ENCRYPTED: permanent(
    "caller",
    "A key was given for a database that is not encrypted.",
    "Give none, or encrypt it with `changeDatabaseKey`.",
  ),
  STORE_FAILED: permanent(
    "availability",
    "The database cannot be used; nothing was written.",
    "Check that the path is right and writable and that its file system has locks.",
  ),
  QUEUE_FULL: permanent(
    "caller",
    "Too many messages wait in this group, or have failed.",
    "Synchronize, or cancel some of `group.queue()`; this one was not queued.",
  ),
  NOT_A_MEMBER: permanent(
    "message",
    "This installation, or the sender of a message, is not in the group (any more).",
    "Ask to be added again.",
  ),
  GROUP_PARTED: permanent(
    "caller",
    "The group has gone on without the state of this installation (`data.proof` says how that is known).",
    "Sync until a super admin's client has added this installation again, or be removed and join anew.",
  ),
  GROUP_CONFLICT: permanent(
    "caller",
    "Two groups claim this id, and the one at hand is not proven to be the right one.",
    "Choose one of `conversations.conflicts()`.",
  ),
  ARGUMENT_INVALID: permanent(
    "caller",
    "An argument makes no sense (see `data.argument`).",
    "Correct the call; nothing was sent.",
  ),
  NOT_PERMITTED: permanent("caller", "The rules of the group do not allow this to you.", "Ask an admin of the group."),
  MEMBER_IN_THE_WAY: permanent(
    "caller",
    "Members' programs do not support what this change needs (see `data.inboxes`).",
    "Remove these members, or have them update their programs.",
  ),
  INBOX_UNKNOWN: permanent(
    "caller",
    "No such inbox is registered at the node.",
    "Check the id; its owner has to register first.",
  ),
  INBOX_UNVERIFIABLE: permanent(
    "message",
    "An inbox has a smart-contract wallet that this node does not verify (see `data.inboxIds`).",
    "Use a node that asks the wallet's chain, or leave these inboxes out.",
  ),
  KEY_PACKAGE_MISSING: permanent(
    "message",
    "An installation has no usable key package (see `data.installations`).",
    "Open the client on that device once, then repeat.",
  ),
  GROUP_UNSUPPORTED: permanent(
    "message",
    "The group is of a kind this version cannot handle.",
    "Update this program or the group.",
  ),
  COMMIT_CONFLICT: transient("availability", "Other changes of the group came first each time.", "Repeat the call."),
  DEFECT: transient(
    "defect",
    "This program failed by a mistake of its own (see `cause`).",
    "Report it; a message that fails in three syncs, a minute apart, is set aside.",
  ),
  CLIENT_CLOSED: permanent("availability", "The client is closed.", "Create it again."),
  CLOCK_WRONG: permanent(
    "caller",
    "This machine's clock differs from the node's by more than an hour (see `data.differenceNs`).",
    "Set the clock and repeat.",
  ),
  IDENTITY_PENDING: transient(
    "availability",
    "A change of the group names an identity update that the node does not show yet.",
    "Nothing: the group goes on after two minutes at most. A change that was asked for has left, and a later sync settles it.",
  ),
  IDENTITY_REVOKED: permanent(
    "caller",
    "This installation was revoked or belongs to no inbox.",
    "Register a new installation.",
  ),
  NOT_RECOVERY: permanent(
    "caller",
    "Only the recovery identifier of the inbox may do this (see `data.recoveryIdentifier`).",
    "Repeat the call with its signer; nobody was asked.",
  ),
  SIGNER_MISSING: permanent(
    "caller",
    "This needs a signature of a wallet, and the client was opened without a signer.",
    "Repeat the call with the signer.",
  ),
  LINK_MALFORMED: permanent(
    "message",
    "The text or picture is not the code of a device, or only a part of one.",
    "Scan the code again, or begin the link anew on the other device.",
  ),
  LINK_NOT_EMPTY: permanent(
    "caller",
    "This device has an inbox already, and only an empty one can be linked.",
    "Link a device that is new, or name another database.",
  ),
  LINK_DISTURBED: permanent(
    "message",
    "Somebody else has seen the code of a device and interfered.",
    "Nothing was signed. Begin again where nobody sees the screens.",
  ),
  LINK_FAILED: permanent(
    "message",
    "The digits differ, or the other device has ended the link (see `data.reason`).",
    "Nothing was signed. Begin again with a new code.",
  ),
  LINK_EXPIRED: permanent("message", "The code of a device is valid for two minutes.", "Begin again with a new code."),
  LINK_OPEN: permanent(
    "availability",
    "The link ended after an addition was signed: the device may still come in (see `data.installationId`).",
    "Look at the list of devices, and revoke it if it is not wanted.",
  ),
  IDENTITY_MISMATCH: permanent(
    "caller",
    "The database belongs to another wallet.",
    "Use the wallet it was created with.",
  ),
  IDENTITY_MISSING: permanent(
    "caller",
    "This browser has no identity for this site.",
    "Make one, or link this browser to an identity of another device.",
  ),
  IDENTITY_FORGOTTEN: permanent(
    "availability",
    "The browser has deleted a part of what this site had stored.",
    "Link this browser as a new device of the same person; what is left stays as it is.",
  ),
} as const satisfies Record<string, ErrorFacts>;

export type ErrorCode = keyof typeof ERRORS;

/** An error of this package. */
export class ClientError extends LatchkeyError {
  declare readonly code: ErrorCode;
}

/** An error of the family with `retryable` and `scope` as its code says, unless told otherwise. */
export function clientError(code: ErrorCode, message: string, options: LatchkeyErrorOptions = {}): ClientError {
  const { retryable, scope } = ERRORS[code];
  return new ClientError(code, message, { retryable, scope, ...options });
}

/** The beginning of an id: enough to tell one's own devices and contacts apart, and no more, for errors and logs. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…`;
}

/** True for an error of the family whose cause may go away by itself. */
export function isRetryable(error: unknown): boolean {
  return error instanceof LatchkeyError && error.retryable;
}

/** Names of the reasons that the platform aborts with. */
const ABORTS: ReadonlySet<string> = new Set(["AbortError", "TimeoutError"]);

/**
 * Where anything that was thrown arose: an abort counts as `availability`, and what is no error of the family is a
 * defect of this program. `signal` is the caller's; once it is aborted nothing counts but that.
 */
export function scopeOf(error: unknown, signal?: AbortSignal): ErrorScope {
  if (signal?.aborted === true) return "availability";
  if (error instanceof LatchkeyError) return error.scope;
  return error instanceof Error && ABORTS.has(error.name) ? "availability" : "defect";
}

/** The verdict on the bytes that were looked at; throws the error again when it is none: then they are read again. */
export function verdictOf(error: unknown, signal?: AbortSignal): LatchkeyError {
  const scope = scopeOf(error, signal);
  if (error instanceof LatchkeyError && (scope === "message" || scope === "caller")) return error;
  throw error;
}

/** The code of an error of the family. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof LatchkeyError ? error.code : undefined;
}

/** DEFECT for an exception that should never have come. */
export function asDefect(error: unknown): LatchkeyError {
  if (codeOf(error) === "DEFECT" && error instanceof LatchkeyError) return error;
  return clientError("DEFECT", "this program failed by a mistake of its own; report it", { cause: error });
}

/** Any error as one of the family; what is none is a defect of this program. */
export function asLatchkeyError(error: unknown): LatchkeyError {
  return error instanceof LatchkeyError ? error : asDefect(error);
}

/**
 * What a check of others' bytes comes to, for checks of which no two members need the same outcome; undefined when it
 * fails. Throws what says nothing about the bytes (`availability`).
 */
export async function unlessRefused<T>(check: Promise<T>): Promise<T | undefined> {
  try {
    return await check;
  } catch (error) {
    if (scopeOf(error) === "availability") throw error;
    return undefined;
  }
}
