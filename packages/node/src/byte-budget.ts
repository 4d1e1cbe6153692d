import { NodeError } from "./errors.ts";

/** Bytes one request holds in memory, to be given back when it is over. */
export interface ByteLease {
  /** Takes more; throws NodeError `NODE_BUSY` when the budget does not have them. */
  readonly add: (bytes: number) => void;
  /** Gives everything back. Idempotent. */
  readonly release: () => void;
}

/** Bounds the bodies held in memory by all requests together. */
export class ByteBudget {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes held at present. */
  get held(): number {
    return this.#held;
  }

  lease(): ByteLease {
    let own = 0;
    return {
      add: (bytes) => {
        if (this.#held + bytes > this.#limit) {
          throw new NodeError("NODE_BUSY", "the node holds as many bytes of requests as it may; try again", {
            retryable: true,
            retryAfterMs: 1_000,
          });
        }
        this.#held += bytes;
        own += bytes;
      },
      release: () => {
        this.#held -= own;
        own = 0;
      },
    };
  }
}
