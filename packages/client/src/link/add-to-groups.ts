import { toHex } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import { asLatchkeyError, clientError } from "../errors.ts";
import { commitChange } from "../group/commit.ts";
import type { GroupCore } from "../group/group-core.ts";
import type { GroupsContext } from "../group/group-registry.ts";
import { planUpdateInstallations } from "../group/follow.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { LinkedDevice, MissedGroup } from "./options.ts";

/**
 * Adds a new device of the own inbox to all groups, some at a time. A group that fails keeps no other from being served;
 * following the identity log brings the device in there later.
 */
export async function addToGroups(
  context: GroupsContext,
  installationId: string,
  told: (added: number, total: number) => void,
  signal: AbortSignal,
): Promise<Omit<LinkedDevice, "history">> {
  const groups = context.groups.all().filter((core) => core.mayWrite);
  const missed: MissedGroup[] = [];
  let addedTo = 0;
  told(addedTo, groups.length);
  const waiting = groups.values();
  const serve = async () => {
    for (const core of waiting) {
      try {
        await add(core, installationId, signal);
        told(++addedTo, groups.length);
      } catch (error) {
        if (isAborted(signal)) throw error;
        missed.push({ groupId: core.id, code: asLatchkeyError(error).code });
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENT_LIMITS.linkGroupsAtOnce }, serve));
  return { installationId, addedTo, missed };
}

async function add(core: GroupCore, installationId: string, signal: AbortSignal): Promise<void> {
  const { inboxId } = core.context.own;
  await commitChange(core, () => planUpdateInstallations(core, signal, [inboxId]), signal, { isFollowing: true });
  const isIn = core.mls.leavesOf(inboxId).some(({ leafNode }) => toHex(leafNode.signatureKey) === installationId);
  if (!isIn) throw clientError("KEY_PACKAGE_MISSING", "the new device could not be added to the group");
}
