import type { ProgressListener } from "./progress.ts";

/** How to join. */
export interface JoinOptions {
  /** Stops the join; JOIN_ABORTED says whether a commit may have been sent already (`data.pending`). */
  readonly signal?: AbortSignal;
  /** Default: one minute. */
  readonly timeoutMs?: number;
  readonly onProgress?: ProgressListener;
  /** Fail with KEY_PACKAGE_MISSING when a device of ours cannot come along; default: join without it. */
  readonly allOrNothing?: boolean;
}
