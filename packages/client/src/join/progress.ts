/** Where a join is, for showing it to people. */
export type JoinStep =
  /** Asking the invite service. */
  | "fetching"
  /** Verifying what it holds, and looking up identities. */
  | "checking"
  /** Making the commit. */
  | "preparing"
  /** Sending it. */
  | "publishing"
  /** Reading the log to see whether it was first. */
  | "reading-back"
  /** Another change came first; waiting before the next attempt. */
  | "waiting"
  /** In the group; telling the other devices and refreshing the invite. */
  | "following-up"
  | "done";

/** A step of a join; `attempt` counts from 1. */
export interface JoinProgress {
  readonly step: JoinStep;
  readonly attempt: number;
}

/** Told of each step; what it throws is ignored. */
export type ProgressListener = (progress: JoinProgress) => void;
