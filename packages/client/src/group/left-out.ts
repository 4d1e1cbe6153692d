import { LatchkeyError } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import { commitChange } from "./commit.ts";
import type { GroupCore } from "./group-core.ts";
import { acceptsLateAdditions } from "./installations.ts";
import { planUpdateInstallations } from "./membership.ts";

/** Members with a device that was left out and may be added by a commit; none where a member's client refuses that. */
export function withDevicesLeftOut(core: GroupCore): string[] {
  if (!acceptsLateAdditions(core)) return [];
  return [...core.state.members].flatMap(([inboxId, { failedInstallations }]) =>
    failedInstallations.length > 0 ? [inboxId] : [],
  );
}

/**
 * Adds the own devices that could not come along (REV-08), once they can, with every synchronization. Failures are none
 * of the synchronization. `keepInvitesFresh` adds the devices of other members.
 */
export async function addOwnDevicesLeftOut(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { inboxId } = core.context.own;
  const isSure = core.mayWrite && core.record.status === "confirmed";
  if (!isSure || !withDevicesLeftOut(core).includes(inboxId)) return;
  try {
    await commitChange(core, () => planUpdateInstallations(core, signal, [inboxId]), signal);
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code.startsWith("STORE_") || isAborted(signal)) throw error;
  }
}
