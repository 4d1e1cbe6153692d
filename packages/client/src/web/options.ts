import type { ClientState } from "./protocol.ts";

/** How the client of a page is made. */
export interface WebClientOptions {
  /** Address of the delivery node. */
  readonly nodeUrl: string;
  /**
   * Starts the worker, a module whose script calls `runWebClient` of `@latchkey/client/web/worker`. The page makes it,
   * because bundlers and policies of Trusted Types decide how a worker's address is written.
   */
  readonly worker: () => Worker;
  /** Names the installation within the origin; default: `latchkey`. */
  readonly name?: string;
  /** `existing` throws IDENTITY_MISSING where this browser has no identity; `guest`, the default, makes one. */
  readonly identity?: "guest" | "existing";
  /** Address of the invite service; default: the node. */
  readonly inviteServiceUrl?: string;
  /** What invite links begin with; see `Environment`. */
  readonly inviteBaseUrl?: string;
  /** Told where the client of this tab stands, from the first moment on. */
  readonly onState?: (state: ClientState) => void;
  readonly signal?: AbortSignal;
}
