import { COMPONENT, policyUpdate } from "@latchkey/xmtp";
import { isAborted } from "../clock.ts";
import { reportInBackground } from "../store/defects.ts";
import { planCommit } from "./plan-commit.ts";
import { commitChange } from "./commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";
import { openRenewal, renewedPolicy } from "./renewal-journal.ts";

/** The commit that turns the invite on again; a renewal that this member may not finish any more is forgotten. */
function planRenewal(core: GroupCore): CommitPlan | undefined {
  const policy = renewedPolicy(core);
  if (policy !== undefined) {
    return planCommit(core, [{ componentId: COMPONENT.externalCommitPolicy, update: policyUpdate(policy) }]);
  }
  if (openRenewal(core) !== undefined) {
    core.step({ write: ({ inviteRenewals }) => inviteRenewals.delete(core.groupId) });
  }
  return undefined;
}

/**
 * Finishes the renewal that a removal began, `when` it is due or at once. Nothing when there is none. An attempt that
 * fails leaves it open for the next synchronization.
 *
 * @throws what `commitChange` throws.
 */
export async function finishRenewal(core: GroupCore, when: "due" | "now", signal?: AbortSignal): Promise<void> {
  const open = openRenewal(core);
  if (open === undefined || !core.mayWrite) return;
  if (when === "due" && open.dueNs > core.context.clock.nowNs()) return;
  await commitChange(core, async () => planRenewal(core), signal);
}

/** As `finishRenewal`, for callers that do not fail with it: what fails is reported, and leaves it open. */
export async function tryFinishRenewal(core: GroupCore, when: "due" | "now", signal?: AbortSignal): Promise<void> {
  try {
    await finishRenewal(core, when, signal);
  } catch (error) {
    if (!isAborted(signal)) reportInBackground(core.context, core.groupId, error);
  }
}
