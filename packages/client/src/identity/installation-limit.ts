import type { AssociationState } from "@latchkey/xmtp";
import { clientError, shortId } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { IdentityContext } from "./identity-context.ts";
import { keyPackageTimes } from "./last-seen.ts";

/** Name of the rule that an inbox has at most `maxInstallations`. */
export const INSTALLATION_LIMIT = "TooManyInstallations";

/**
 * The rule of every entrance by which an inbox gets one more installation: registration, adding and linking.
 *
 * @throws NOT_PERMITTED with the rule `TooManyInstallations`; `data.installations` has the id of each installation and
 * when it was last seen, oldest first, so that people can choose which one to revoke. As `Transport` then.
 */
export async function requireRoomForInstallation(
  parts: Pick<IdentityContext, "crypto" | "transport">,
  state: AssociationState,
  signal?: AbortSignal,
): Promise<void> {
  const ids = state.installations();
  const { maxInstallations } = CLIENT_LIMITS;
  if (ids.length < maxInstallations) return;
  const seen = await keyPackageTimes(parts, state.inboxId, ids, signal);
  const installations = ids
    .map((id) => ({ id, lastSeenNs: seen.get(id) }))
    .sort((a, b) => ((a.lastSeenNs ?? 0n) < (b.lastSeenNs ?? 0n) ? -1 : 1));
  const named = installations.map(({ id, lastSeenNs }) => `${shortId(id)} (last seen ${dayOf(lastSeenNs)})`).join(", ");
  const text = `an inbox has at most ${maxInstallations} installations; revoke one of ${named}`;
  throw clientError("NOT_PERMITTED", text, { rule: INSTALLATION_LIMIT, data: { installations } });
}

/** The day of a time in UTC; the key package of a wrong clock may name any. */
function dayOf(timeNs: bigint | undefined): string {
  const date = new Date(Number((timeNs ?? -1n) / 1_000_000n));
  return timeNs === undefined || Number.isNaN(date.valueOf()) ? "never" : date.toISOString().slice(0, 10);
}
