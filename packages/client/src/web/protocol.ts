import type { ErrorCode } from "../errors.ts";

/** How the client of a browser is opened; only what a message to a worker can carry. */
export interface OpenOptions {
  /** Names the installation within the origin: its lock, files and keys. */
  readonly name: string;
  readonly nodeUrl: string;
  readonly inviteServiceUrl: string;
  readonly inviteBaseUrl?: string | undefined;
  /** `guest` makes an identity where there is none; `existing` throws IDENTITY_MISSING. */
  readonly identity: "guest" | "existing";
  /** A device whose hidden pages are frozen: its leader always gives the database up when it is hidden. */
  readonly handheld: boolean;
  readonly visible: boolean;
}

/**
 * Where the client of a tab stands.
 *
 * - `starting`: no tab has the database open yet.
 * - `ready`: this tab or another one serves calls.
 * - `elsewhere`: another tab has the database and does not answer; it is probably frozen.
 * - `failed`: the database or the client could not be opened; `error` says why.
 */
export type ClientState =
  | { readonly kind: "starting" | "elsewhere" }
  | { readonly kind: "ready"; readonly isLeader: boolean; readonly isKept: boolean }
  | { readonly kind: "failed"; readonly error: WireError };

/** An error on its way between worker and page. */
export interface WireError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly retryable: boolean;
}

/** One call of a page. The same `id` is the same call, however often and by whatever leader it is served. */
export interface WireCall {
  readonly id: string;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** What may have changed since the page looked. */
export interface ChangeEvent {
  /** Ids in hex of groups that have changed. */
  readonly groups: readonly string[];
}

/** Whether messages come by themselves; `offline` as long as the node cannot be reached. */
export type Connection = "connecting" | "live" | "offline";

/** What a worker tells its page unasked. */
export type ClientEvent =
  ({ readonly kind: "change" } & ChangeEvent) | { readonly kind: "connection"; readonly connection: Connection };

/** From a page to its worker. */
export type ToWorker =
  | { readonly kind: "open"; readonly options: OpenOptions }
  | { readonly kind: "call"; readonly call: WireCall }
  | { readonly kind: "abort"; readonly id: string }
  | { readonly kind: "visible"; readonly visible: boolean }
  | { readonly kind: "retry"; readonly identity: OpenOptions["identity"] }
  | { readonly kind: "close" };

/** How a call ended. */
export type Outcome =
  | { readonly kind: "done"; readonly id: string; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: string; readonly error: WireError };

/** News of a call that goes on. */
export interface Progress {
  readonly kind: "progress";
  readonly id: string;
  readonly value: unknown;
}

/** From a worker to its page. */
export type FromWorker =
  | Outcome
  | Progress
  | { readonly kind: "state"; readonly state: ClientState }
  | { readonly kind: "event"; readonly event: ClientEvent };

/** Between the workers of an origin, over a BroadcastChannel. */
export type BetweenWorkers =
  | { readonly to: "leader"; readonly from: string; readonly call: WireCall }
  | { readonly to: "leader"; readonly from: string; readonly abort: string }
  | { readonly to: "leader"; readonly from: string; readonly presence: "visible" | "gone" }
  | { readonly to: "all"; readonly leading: ClientState }
  | { readonly to: "all"; readonly event: ClientEvent }
  | { readonly to: "one"; readonly tab: string; readonly message: Outcome | Progress }
  | { readonly to: "one"; readonly tab: string; readonly taken: string };
