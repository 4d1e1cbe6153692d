import { inboxUnverifiable } from "../identity/directory.ts";
import { commitChange } from "./commit.ts";
import type { GroupCore } from "./group-core.ts";
import { planUpdateInstallations } from "./follow.ts";

/**
 * Adds installations that members registered since they were added, and removes those they revoked.
 *
 * @throws INBOX_UNVERIFIABLE with the members that could not be followed, when all others were; as `commitChange`.
 */
export async function updateInstallations(core: GroupCore, signal?: AbortSignal): Promise<void> {
  const unverifiable = new Set<string>();
  const plan = () => planUpdateInstallations(core, signal, undefined, unverifiable);
  await commitChange(core, plan, signal, { isFollowing: true });
  if (unverifiable.size > 0) throw inboxUnverifiable([...unverifiable]);
}
