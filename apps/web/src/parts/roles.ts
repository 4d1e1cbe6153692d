import type { Permission } from "@latchkey/client";

/** Whether a role makes and ends invites. */
export function isSuper(permission: Permission | undefined): boolean {
  return permission === "super_admin";
}
