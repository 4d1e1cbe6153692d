import type { NewGroup } from "@latchkey/xmtp";

/** What a new group is like. */
export type GroupOptions = Pick<NewGroup, "name" | "description" | "imageUrl" | "permissions"> & {
  /** Throw KEY_PACKAGE_MISSING when any installation cannot be added, instead of leaving it out. */
  readonly allOrNothing?: boolean;
  readonly signal?: AbortSignal;
};
