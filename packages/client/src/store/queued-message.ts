/** An own message that is not in `messages()` yet, or never will be. */
export interface QueuedMessage {
  /** In hex: the id that the message has once it is read back. */
  readonly id: string;
  readonly text: string | undefined;
  /** As in `xmtp.org/text:1.0`. */
  readonly contentType: string;
  /** Serialized EncodedContent. */
  readonly content: Uint8Array;
  /** Nanoseconds since 1970 by the clock of this device; 0 when an earlier version queued it. */
  readonly queuedAtNs: bigint;
  /** `waiting`: it leaves with a sync, again if need be, until it is read back. `failed`: it is sent no more. */
  readonly state: "waiting" | "failed";
  /** False when no copy has left this device for certain. */
  readonly mayHaveLeft: boolean;
  /** Why it failed, a code of `docs/errors.md`: NODE_REJECTED, NOT_A_MEMBER, GROUP_CONFLICT. */
  readonly error: string | undefined;
}

/** A queued message that failed. */
export interface FailedMessage {
  /** In hex. */
  readonly groupId: string;
  readonly message: QueuedMessage;
}

/** Told once of each message that failed, after a crash perhaps again; what it throws is ignored. */
export type FailedMessageListener = (failed: FailedMessage) => void;
