import { equalBytes, toHex } from "@latchkey/mls";
import type { InvitePayload } from "@latchkey/xmtp";
import { shortId } from "../../errors.ts";
import { malformedInvite } from "./malformed.ts";
import type { ChecksumState } from "./surroundings.ts";

/** An invite that was found in a text or picture. */
export interface FoundInvite {
  readonly payload: InvitePayload;
  /** Whether a server has seen the invite: `#` was encoded, or the link was wrapped into another one. Rotate it. */
  readonly exposed: boolean;
  /** `wrong` where the link was mistyped, or a sentence goes on behind it. */
  readonly checksum: ChecksumState;
}

/** Where several invites were found. */
type FoundIn = "text" | "shown" | "picture";

/** The invite, if all that were found are the same one. Throws INVITE_MALFORMED, which names both. */
export function oneInvite(found: readonly [FoundInvite, ...FoundInvite[]], where: FoundIn): FoundInvite {
  const [first, ...others] = found;
  const other = others.find(({ payload }) => !isSame(payload, first.payload));
  if (other === undefined) {
    return {
      payload: first.payload,
      exposed: found.some(({ exposed }) => exposed),
      checksum: found.find(({ checksum }) => checksum !== "absent")?.checksum ?? "absent",
    };
  }
  const [one, two] = [first, other].map(({ payload }) => shortId(toHex(payload.externalGroupId)));
  if (where === "shown") {
    throw malformedInvite(
      "TargetDiffers",
      `the link that is shown (slot ${two}) is another invite than its target (slot ${one}); ask which one is meant`,
    );
  }
  throw malformedInvite(
    "TwoInvites",
    `the ${where} holds two different invites (slots ${one} and ${two}); give one of them`,
  );
}

function isSame(a: InvitePayload, b: InvitePayload): boolean {
  return equalBytes(a.externalGroupId, b.externalGroupId) && equalBytes(a.symmetricKey, b.symmetricKey);
}
