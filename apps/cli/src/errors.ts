import { LatchkeyError, type ErrorCode } from "@latchkey/client";

/** Codes of errors that the command itself raises; all of them are about the user's input or files on disk. */
type CliErrorCode =
  | "USAGE"
  | "NOT_INITIALISED"
  | "CONFIG_INVALID"
  | "KEY_FILE_INVALID"
  | "FILE_UNREADABLE"
  | "FILE_UNWRITABLE"
  | "GROUP_UNKNOWN"
  | "GROUP_AMBIGUOUS"
  | "INVITE_NONE"
  | "LISTEN_FAILED";

/** An error of the command line; never retryable, because only another command line can succeed. */
export function cliError(code: CliErrorCode, message: string, cause?: unknown): LatchkeyError {
  return new LatchkeyError(code, message, { scope: "caller", ...(cause === undefined ? {} : { cause }) });
}

/** Errors that ask for another command line. */
const USAGE_CODES: ReadonlySet<string> = new Set<CliErrorCode | ErrorCode>([
  "USAGE",
  "NOT_INITIALISED",
  "CONFIG_INVALID",
  "KEY_FILE_INVALID",
  "FILE_UNREADABLE",
  "FILE_UNWRITABLE",
  "GROUP_UNKNOWN",
  "GROUP_AMBIGUOUS",
  "INVITE_NONE",
  "LISTEN_FAILED",
  "STORE_KEY_MISSING",
  "STORE_KEY_WRONG",
  "STORE_NOT_ENCRYPTED",
]);

/** Errors of the family that point at a mistake in this program, not at the world. */
const INTERNAL_CODES: ReadonlySet<string> = new Set(["CLIENT_CLOSED" satisfies ErrorCode, "MLS_STATE"]);

/** The exit statuses, and their meaning for a script. */
export const EXIT = {
  ok: { status: 0, meaning: "done" },
  unexpected: { status: 1, meaning: "unexpected failure, please report it" },
  usage: { status: 2, meaning: "wrong usage: change the command line or the data directory" },
  never: { status: 3, meaning: "will never work: invalid, revoked, expired, refused, already a member" },
  tryAgain: { status: 4, meaning: "try again later: node unreachable, rate limited, lost a race, slot empty" },
  aborted: { status: 130, meaning: "stopped by Ctrl-C" },
} as const;

type Exit = keyof typeof EXIT;

/** Which exit an error leads to; `aborted` says whether the user pressed Ctrl-C. */
export function exitOf(error: unknown, aborted: boolean): Exit {
  if (error instanceof LatchkeyError) {
    if (error.code === "JOIN_ABORTED") return "aborted";
    if (USAGE_CODES.has(error.code)) return "usage";
    if (INTERNAL_CODES.has(error.code)) return "unexpected";
    return error.retryable ? "tryAgain" : "never";
  }
  return aborted ? "aborted" : "unexpected";
}
