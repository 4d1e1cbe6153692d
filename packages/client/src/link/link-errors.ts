import { LatchkeyError } from "@latchkey/mls";
import { clientError, codeOf, shortId } from "../errors.ts";

/** Why a device ended a link, as it says to the other one; the order is that of the wire. */
export const END_REASONS = ["cancelled", "digits", "expired", "disturbed", "protocol", "inbox"] as const;
export type EndReason = (typeof END_REASONS)[number];

/** LINK_DISTURBED: somebody else has written to a box, or closed it. */
export function disturbed(cause?: unknown): LatchkeyError {
  const text =
    "somebody else has seen the code and interfered, so the link was ended; nothing was signed. Begin again where nobody sees the screens";
  return clientError("LINK_DISTURBED", text, { cause });
}

/** LINK_EXPIRED. */
export function expired(): LatchkeyError {
  return clientError("LINK_EXPIRED", "the code is valid for two minutes, which are over; begin again with a new code");
}

/** LINK_FAILED for digits that differ. */
export function wrongDigits(): LatchkeyError {
  const text = "the digits are not those of the new device; nothing was signed. Begin again with a new code";
  return clientError("LINK_FAILED", text, { data: { reason: "digits" } });
}

/** LINK_FAILED for an inbox that the person does not know. */
export function notOwnInbox(): LatchkeyError {
  const text = "the inbox is not yours, so the link was ended; nothing was signed. Somebody may have swapped the code";
  return clientError("LINK_FAILED", text, { data: { reason: "inbox" } });
}

/** LINK_FAILED for something that the other device may not say. */
export function notAsAgreed(cause?: unknown): LatchkeyError {
  const text = "the other device does not follow the protocol; nothing was changed. Update both and begin again";
  return clientError("LINK_FAILED", text, { data: { reason: "protocol" }, cause });
}

/** LINK_OPEN: an addition was signed, and nothing shows whether it counts. */
export function linkOpen(inboxId: string, installationId: string, cause?: unknown): LatchkeyError {
  const text = `the new device ${shortId(installationId)} may still come into the inbox; look at the list of devices, and revoke it if it is not wanted`;
  return clientError("LINK_OPEN", text, { data: { inboxId, installationId }, cause });
}

/** What this device throws when the other one has ended the link. */
export function endedByOther(reason: EndReason): LatchkeyError {
  if (reason === "disturbed") return disturbed();
  if (reason === "expired") return expired();
  if (reason === "digits") return wrongDigits();
  if (reason === "protocol") return notAsAgreed();
  if (reason === "inbox") return notOwnInbox();
  const text = "the other device has ended the link; nothing was changed. Begin again if that was not meant";
  return clientError("LINK_FAILED", text, { data: { reason } });
}

/** What to tell the other device about a failure here. */
export function reasonOf(error: unknown): EndReason {
  const code = codeOf(error);
  if (code === "LINK_DISTURBED") return "disturbed";
  if (code === "LINK_EXPIRED") return "expired";
  const reason = code === "LINK_FAILED" && error instanceof LatchkeyError ? error.data["reason"] : undefined;
  return END_REASONS.find((known) => known === reason) ?? "cancelled";
}
