import type { GroupCore } from "../group/group-core.ts";
import { finishRenewal } from "../group/renewal.ts";
import { openRenewal } from "../group/renewal-journal.ts";
import type { Duty } from "./duty.ts";

/** Finishes the renewal of the invite that a removal began, as soon as it is due. */
export const RENEWAL: Duty = {
  name: "renewal",
  run: (core, signal) => finishRenewal(core, "due", signal),
  delayMs: (core: GroupCore) => {
    const open = core.mayWrite ? openRenewal(core) : undefined;
    if (open === undefined) return undefined;
    return Math.max(0, Number(open.dueNs - core.context.clock.nowNs()) / 1e6);
  },
};
