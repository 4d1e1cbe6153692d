import { clientError } from "../errors.ts";
import type { IdentityContext } from "./identity-context.ts";
import type { KnownState } from "./replay-log.ts";

/** Whether an installation belonged to an inbox and does not any more. */
export function wasRevoked(states: readonly KnownState[], installationId: string): boolean {
  if (states.at(-1)?.state.hasInstallation(installationId) !== false) return false;
  return states.some(({ state }) => state.hasInstallation(installationId));
}

/** Notes that this installation was revoked: streams end, and whatever would be written fails from here on. */
export function noteOwnRevocation(
  { own, revocation }: Pick<IdentityContext, "own" | "revocation">,
  states: readonly KnownState[],
): void {
  if (revocation.signal.aborted || !wasRevoked(states, own.installationId)) return;
  revocation.abort(
    clientError(
      "IDENTITY_REVOKED",
      "this installation was revoked: what it has read stays readable; register a new one with a new database",
    ),
  );
}

/** Has the client act when the log of its own inbox has grown: it may have been revoked, or got another device. */
export function noteOwnGrowth(context: Pick<IdentityContext, "own" | "revocation" | "ownGrowth" | "directory">): void {
  context.directory.onGrowth((inboxId, states) => {
    if (inboxId !== context.own.inboxId) return;
    noteOwnRevocation(context, states);
    for (const told of [...context.ownGrowth]) told();
  });
}

/** Throws IDENTITY_REVOKED once the identity log has shown that this installation was revoked. Asks nobody. */
export function requireNotRevoked({ revocation }: Pick<IdentityContext, "revocation">): void {
  revocation.signal.throwIfAborted();
}
