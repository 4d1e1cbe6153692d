import { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../../errors.ts";
import type { ChecksumState } from "./surroundings.ts";

/** What an invite fails with whose id or key nobody knows. */
const UNKNOWN: ReadonlySet<string> = new Set(["INVITE_UNKNOWN_SLOT", "INVITE_NO_CANDIDATE"]);

/**
 * Tells a mistyped link from a dead invite: where the service knows nothing of it and its checksum is wrong, the error is
 * INVITE_MALFORMED with rule `Checksum`. A link that opens is opened whatever its checksum is.
 */
export function mistypedOr(error: unknown, checksum: ChecksumState): unknown {
  if (checksum !== "wrong" || !(error instanceof LatchkeyError) || !UNKNOWN.has(error.code)) return error;
  const message = "a character of the link is wrong, as its last characters show; copy the link, or scan the code";
  return clientError("INVITE_MALFORMED", message, { rule: "Checksum", cause: error });
}
