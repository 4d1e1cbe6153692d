import { LatchkeyError } from "@latchkey/mls";
import { isAborted } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Tables } from "../store/store.ts";
import { surplus } from "../store/surplus.ts";
import { deleteEntry, hiddenEntries } from "./entries.ts";
import { runFollowUps } from "./follow-ups.ts";
import type { GroupCore } from "./group-core.ts";

/**
 * Deletes a group with its messages on this installation; members do not learn of it, and the leaf stays in the group.
 *
 * Welcomes of own commits that have not left yet are sent first, because nobody else can send them; without a network
 * they are lost. A later Welcome opens the group again only if its commit lies behind what was read of the log.
 */
export async function forgetGroup(core: GroupCore, signal: AbortSignal | undefined): Promise<void> {
  const { context, groupId } = core;
  if (context.store.followUps.list(groupId).some(({ kind }) => kind === "welcome")) {
    try {
      await runFollowUps(core, signal);
    } catch (error) {
      if (isAborted(signal) || !(error instanceof LatchkeyError)) throw error;
    }
  }
  await core.exclusive(async () => deleteGroup(core), signal);
}

function deleteGroup(core: GroupCore): void {
  const { context, groupId, record } = core;
  if (record.role !== "shown") {
    core.delete();
    return;
  }
  const hidden = hiddenEntries(context, groupId).filter(({ role }) => role !== "archived");
  core.delete((tables) => {
    for (const entry of hidden) deleteEntry(tables, entry.groupId);
    tables.unsupportedGroups.delete(groupId);
    rememberForgotten(tables, { groupId, cursor: record.cursor, forgottenAtNs: context.clock.nowNs() });
  });
}

function rememberForgotten({ forgottenGroups }: Tables, forgotten: Parameters<Tables["forgottenGroups"]["put"]>[0]) {
  forgottenGroups.put(forgotten);
  const { maxForgottenGroups } = CLIENT_LIMITS;
  if (forgottenGroups.count() <= maxForgottenGroups) return;
  const byTime = forgottenGroups.list().sort((a, b) => (a.forgottenAtNs < b.forgottenAtNs ? -1 : 1));
  for (const old of surplus(byTime, maxForgottenGroups)) forgottenGroups.delete(old.groupId);
}
