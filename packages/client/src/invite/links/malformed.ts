import type { LatchkeyError } from "@latchkey/mls";
import { clientError } from "../../errors.ts";

/** INVITE_MALFORMED with its cause as `rule`, and what to do in its message. */
export function malformedInvite(rule: string, message: string): LatchkeyError {
  return clientError("INVITE_MALFORMED", message, { rule });
}
