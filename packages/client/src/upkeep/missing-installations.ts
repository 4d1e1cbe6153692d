import { commitChange } from "../group/commit.ts";
import type { GroupCore } from "../group/group-core.ts";
import { acceptsLateAdditions } from "../group/installations.ts";
import { planUpdateInstallations } from "../group/follow.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Duty } from "./duty.ts";

/** Members with an installation that was left out; none where a member's client refuses late additions. */
export function inboxesWithMissingInstallations(core: GroupCore): string[] {
  if (!acceptsLateAdditions(core)) return [];
  return [...core.state.members].flatMap(([inboxId, { failedInstallations }]) =>
    failedInstallations.length > 0 ? [inboxId] : [],
  );
}

function isDue(core: GroupCore): boolean {
  const isConfirmed = core.mayWrite && core.record.status === "confirmed";
  return isConfirmed && inboxesWithMissingInstallations(core).includes(core.context.own.inboxId);
}

/**
 * Adds own installations that could not come along (REV-08), once they have a key package. `keepInvitesFresh` adds those of
 * other members.
 */
export const MISSING_INSTALLATIONS: Duty = {
  name: "missing-installations",
  run: async (core, signal) => {
    if (!isDue(core)) return;
    const plan = () => planUpdateInstallations(core, signal, [core.context.own.inboxId]);
    await commitChange(core, plan, signal, { isFollowing: true });
  },
  delayMs: (core) => (isDue(core) ? CLIENT_LIMITS.missingInstallationsSpreadMs * core.context.random() : undefined),
  intervalMs: CLIENT_LIMITS.missingInstallationsIntervalMs,
};
