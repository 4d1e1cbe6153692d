import { utf8 } from "@latchkey/mls";
import {
  COMPONENT,
  isPermissible,
  permissionUpdate,
  stringUpdate,
  timeUpdate,
  XMTP_LIMITS,
  type DisappearingSettings,
  type PermissionPolicy,
  type RegulatedAction,
} from "@latchkey/xmtp";
import { clientError } from "../errors.ts";
import { planCommit } from "./plan-commit.ts";
import type { CommitPlan } from "./commit-plan.ts";
import type { GroupCore } from "./group-core.ts";

/** The texts of a group: their components, what people call them, and how long they may be in bytes of UTF-8. */
const TEXTS = {
  name: { componentId: COMPONENT.groupName, called: "a group's name", maxBytes: XMTP_LIMITS.maxGroupNameBytes },
  description: {
    componentId: COMPONENT.groupDescription,
    called: "a group's description",
    maxBytes: XMTP_LIMITS.maxGroupDescriptionBytes,
  },
  imageUrl: {
    componentId: COMPONENT.groupImageUrl,
    called: "the address of a group's image",
    maxBytes: XMTP_LIMITS.maxGroupImageUrlBytes,
  },
  appData: { componentId: COMPONENT.appData, called: "application data", maxBytes: XMTP_LIMITS.maxAppDataBytes },
} as const;

/** A text that a group carries. */
export type GroupText = keyof typeof TEXTS;

/** Throws NOT_PERMITTED for a text that is longer than XMTP's clients write. */
export function requireShortText(kind: GroupText, text: string): void {
  const { called, maxBytes } = TEXTS[kind];
  if (utf8(text).length > maxBytes) {
    throw clientError("NOT_PERMITTED", `${called} has at most ${maxBytes} bytes; shorten it`);
  }
}

/** Throws NOT_PERMITTED for a text that is too long. */
export function planText(core: GroupCore, kind: GroupText, text: string): CommitPlan {
  requireShortText(kind, text);
  return planCommit(core, [{ componentId: TEXTS[kind].componentId, update: stringUpdate(text) }]);
}

/** Undefined lets messages stay. */
export function planDisappearing(core: GroupCore, settings: DisappearingSettings | undefined): CommitPlan {
  const { fromNs, inNs } = settings ?? { fromNs: 0n, inNs: 0n };
  return planCommit(core, [
    { componentId: COMPONENT.messageDisappearFromNs, update: timeUpdate(fromNs) },
    { componentId: COMPONENT.messageDisappearInNs, update: timeUpdate(inNs) },
  ]);
}

/**
 * Gives an action another policy; undefined when it has it.
 *
 * @throws NOT_PERMITTED for a policy that every member would refuse; GROUP_UNSUPPORTED for a group without that action.
 */
export function planPermission(
  core: GroupCore,
  action: RegulatedAction,
  policy: PermissionPolicy,
): CommitPlan | undefined {
  if (!isPermissible(action, policy)) {
    throw clientError("NOT_PERMITTED", "only admins or super admins can be allowed to make and unmake admins");
  }
  const { registry, permissions } = core.state;
  if (permissions[action] === policy) return undefined;
  const update = permissionUpdate(registry, action, policy);
  if (update === undefined) {
    throw clientError("GROUP_UNSUPPORTED", "the group has no permission of that kind; its registry does not know it");
  }
  return planCommit(core, [{ componentId: COMPONENT.componentRegistry, update }]);
}
