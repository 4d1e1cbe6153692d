/** Where an invite's blobs lie: a service and the slot within it. */
export interface Slot {
  /** Address of the service, without the slot's path. */
  readonly serviceUrl: string;
  readonly externalGroupId: Uint8Array;
  /** For uploads; without them only a slot that nobody has closed can be written. */
  readonly credentials?: SlotCredentials | undefined;
}

/** What admits to writing a slot at one service, 32 bytes each, secret; see "Write credentials" in `docs/invite-slots.md`. */
export interface SlotCredentials {
  readonly current: Uint8Array;
  /** SHA-256 of it. */
  readonly currentHash: Uint8Array;
  /** Those of version 1 and of the keys before, newest first: an upload by one of them puts `current` in its place. */
  readonly earlier: readonly Uint8Array[];
}

/** What a look-up of a slot gives. */
export interface SlotContents {
  /** The newest blobs of the slot, newest last, at most `maxCandidates`; undefined: those of the tag that was named. */
  readonly blobs: readonly Uint8Array[] | undefined;
  /** Names these blobs for the next look-up; undefined when the service gives no tags. */
  readonly tag: string | undefined;
  /** How many others came to join lately and are not done, as the service guesses; undefined when it does not say. */
  readonly waiting: number | undefined;
}

/** How a slot is looked up. */
export interface SlotFetchOptions {
  /** Says that this is the beginning of a join, for the count of those who wait. */
  readonly joining?: boolean;
  /** The blobs of this tag are known and need not be sent again. */
  readonly unless?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The invite service: it keeps encrypted blobs by slot and can read none of them. */
export interface SlotService {
  /**
   * Stores a blob; the same bytes again only prolong its life. Resolves with the time until which the blob is served, in
   * nanoseconds since 1970; undefined when the service does not say. Throws INVITE_SLOT_CLOSED when no credential admits.
   */
  upload(slot: Slot, blob: Uint8Array, signal?: AbortSignal): Promise<bigint | undefined>;
  /** What the slot holds; throws INVITE_UNKNOWN_SLOT. */
  fetch(slot: Slot, options?: SlotFetchOptions): Promise<SlotContents>;
  /** Whether a blob of that epoch and state is there already. */
  exists(slot: Slot, epoch: bigint, groupStateHash: Uint8Array, signal?: AbortSignal): Promise<boolean>;
  /** What the service states of itself; services of an application's own need not. Throws errors of the network. */
  describe?(serviceUrl: string, signal?: AbortSignal): Promise<ServiceDescription>;
}

/** What a service states of itself at `/.well-known/latchkey`. */
export interface ServiceDescription {
  /** Whether it serves the page that opens invites, at `/i` of its origin. */
  readonly page: boolean;
}

/** A service found for an opaque pointer: an address, a service of the application's own, or undefined for an unknown one. */
export type ResolvedPointer = string | SlotService | undefined;
