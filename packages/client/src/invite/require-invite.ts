import { check, requireBytes, requireEither } from "@latchkey/mls";

const requireString = check("a text", (value) => (typeof value === "string" ? value : undefined));

/** A link, a text with one in it, or bytes; throws ARGUMENT_INVALID. */
export const requireInvite = requireEither("an invite: a text or a Uint8Array", requireString, requireBytes());
