import type { Proposal } from "@latchkey/mls";
import { appDataUpdate, applyAppDataUpdates } from "@latchkey/xmtp";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";

/** A payload for one app-data component. */
export interface ComponentPayload {
  readonly componentId: number;
  readonly update: Uint8Array;
}

/** The plan of a commit with these proposals and updates, on top of the present app data. */
export function planCommit(
  core: GroupCore,
  payloads: readonly ComponentPayload[],
  proposals: readonly Proposal[] = [],
): CommitPlan {
  const updates = payloads.map(({ componentId, update }) => appDataUpdate(componentId, update));
  return { proposals: [...proposals, ...updates], appData: applyAppDataUpdates(core.mls.appData, updates) };
}
