/**
 * What the node keeps, and what it may rely on. All truth is in the store: processes hold nothing that another process
 * on the same store would need, so that an adapter for a database server can be put beside the SQLite one. Every
 * adapter must pass `describeStore` of `@latchkey/node/testing`.
 *
 * All methods may throw NodeError `STORE_FULL` (nothing was written) and `STORE_FAILED`.
 */
export interface Store {
  readonly groupMessages: TopicLog;
  readonly welcomes: TopicLog;
  readonly commitLog: TopicLog;
  readonly identity: IdentityStore;
  readonly keyPackages: KeyPackageStore;
  readonly slots: SlotStore;
  /** The newest time that an envelope of any log was given, in nanoseconds; 0 when all are empty. */
  newestStampNs(): Promise<bigint>;
  /** Resolves when the store answers. */
  check(): Promise<void>;
  /** Looks for damage that nothing has read yet, beside everything else. Throws NodeError `STORE_DAMAGED`, as all does then. */
  inspect(): Promise<void>;
  /** Makes everything durable in one place and closes; further calls fail. Idempotent. */
  close(): Promise<void>;
}

/** What a node gives to the store that it opens. */
export interface StoreContext {
  /**
   * Nanoseconds since 1970, for the stamps of envelopes; it never goes back. It starts behind `newestStampNs`, so a store must
   * not call it before that was asked for.
   */
  readonly clock: () => bigint;
  /** Most bytes of the database, 0 for no bound: `NodeLimits.databaseBytes`. */
  readonly maxBytes: number;
}

/** Opens the store of one node, which closes it. A factory, because the store stamps by the clock of its node. */
export type StoreFactory = (context: StoreContext) => Store | Promise<Store>;

/** An envelope to be stored. */
export interface NewEnvelope {
  readonly topic: Uint8Array;
  /** Bytes given back as they are; the store does not look into them. */
  readonly payload: Uint8Array;
  /** 32 bytes; an envelope with a digest the log already has is dropped. */
  readonly digest: Uint8Array;
  /** Kept beside the payload, for heads. Logs without kinds leave it out. */
  readonly kind?: EnvelopeKind;
}

/** What an MLS message carries, as its unencrypted header states it. A handshake is a commit or a proposal. */
export type EnvelopeKind = "application" | "handshake";

/** What is known of an envelope without reading its payload. */
export interface EnvelopeHead {
  readonly id: bigint;
  readonly createdNs: bigint;
  /** Undefined where no kind was stored, as older versions of the store did. */
  readonly kind: EnvelopeKind | undefined;
}

/** A stored envelope. */
export interface Envelope {
  /** From 1, ascending in the order of storing; gaps are allowed. */
  readonly id: bigint;
  /** Strictly increasing within a topic. */
  readonly createdNs: bigint;
  readonly payload: Uint8Array;
}

/** One page of a topic. */
export interface PageRequest {
  readonly topic: Uint8Array;
  readonly direction: "ascending" | "descending";
  /** Exclusive: greater ids follow when ascending, smaller ones when descending; descending from 0 is from the newest. */
  readonly cursor: bigint;
  /** Most entries, at least 1. */
  readonly limit: number;
  /** The page ends before the entry that would exceed this many payload bytes, but has at least one entry. */
  readonly maxBytes: number;
  /** Called with the bytes of each payload before it is kept; what it throws ends the reading. */
  readonly reserve?: (bytes: number) => void;
  /** The reader was woken for this topic: it may share a read that has begun after that. */
  readonly isFollowing?: boolean;
}

export interface Page {
  readonly entries: readonly Envelope[];
  /** True when entries follow behind the last one. */
  readonly more: boolean;
}

/** Called with the key of a topic that has grown, as `bytesKey` of its bytes gives it. */
export type Wake = (topic: string) => void;

/** An append-only log of envelopes by topic, with one id sequence of its own. */
export interface TopicLog {
  /**
   * Stores a batch in one transaction, adjacent and in order, without those whose digest is known; tells which were
   * stored. A reader that sees an id sees all smaller ids of the topic.
   */
  append(envelopes: readonly NewEnvelope[]): Promise<readonly boolean[]>;
  read(page: PageRequest): Promise<Page>;
  newest(topic: Uint8Array): Promise<Envelope | undefined>;
  /**
   * The newest envelope of each topic, in the order asked; undefined for an empty topic. It reads no payload, so its cost does
   * not depend on the size of messages.
   */
  heads(topics: readonly Uint8Array[]): Promise<readonly (EnvelopeHead | undefined)[]>;
  /**
   * Calls `wake` after each append that made one of the topics grow, whichever process made it, until the returned function
   * is called. A read that begins in `wake` sees the new envelopes. A call too many is allowed: it costs a read.
   */
  subscribe(topics: readonly string[], wake: Wake): () => void;
}

/** An identifier as the index knows it: a wallet address in lower case, or the lower-case hex of a passkey. */
export interface IndexedIdentifier {
  readonly kind: "ethereum" | "passkey";
  readonly identifier: string;
}

/** An identity update that was verified against the log as it stood at `expectedLastId`. */
export interface NewIdentityUpdate {
  readonly inboxId: string;
  readonly payload: Uint8Array;
  readonly digest: Uint8Array;
  /** Id of the last update of this inbox that was taken into account, 0 for none. */
  readonly expectedLastId: bigint;
  /** Identifiers that belong to the inbox from now on. */
  readonly added: readonly IndexedIdentifier[];
  /** Identifiers that no longer belong to it. */
  readonly removed: readonly IndexedIdentifier[];
}

/** The identity logs of all inboxes and the index from identifiers to inboxes. */
export interface IdentityStore {
  /** Compare and append, in one transaction with the index. `conflict`: the log has grown, read and verify again. */
  append(update: NewIdentityUpdate): Promise<"stored" | "duplicate" | "conflict">;
  /** Whether an update with this digest is stored. */
  has(digest: Uint8Array): Promise<boolean>;
  /** Id of the inbox's last update, 0 for none. */
  lastId(inboxId: string): Promise<bigint>;
  /** Updates with ids greater than `afterId`, ascending; `reserve` as for a page. */
  read(inboxId: string, afterId: bigint, reserve?: (bytes: number) => void): Promise<readonly Envelope[]>;
  /**
   * A time of the stamps, such that reads that begin afterwards have each update with an earlier stamp. It is behind the
   * present time while updates are being stored.
   */
  asOfNs(): Promise<bigint>;
  /** The inbox that each identifier joined last and still belongs to, in the order asked. */
  findInboxes(identifiers: readonly IndexedIdentifier[]): Promise<readonly (string | undefined)[]>;
}

/** One key package per installation: the latest. */
export interface KeyPackageStore {
  put(installationKey: Uint8Array, keyPackage: Uint8Array): Promise<void>;
  get(installationKey: Uint8Array): Promise<Uint8Array | undefined>;
}

/** An uploaded blob with what the service reads of it. */
export interface SlotBlob {
  readonly epoch: bigint;
  /** `group_state_hash`, 32 bytes. */
  readonly digest: Uint8Array;
  /** 0 is never. */
  readonly expiresAtNs: bigint;
  readonly bytes: Uint8Array;
}

/** By which right an upload is made; see "Write credentials" in `docs/invite-slots.md`. */
export interface SlotWriter {
  /** SHA-256 of the credential that came along. */
  readonly credentialHash?: Uint8Array | undefined;
  /** SHA-256 of the credential that admits from this upload on. */
  readonly nextHash?: Uint8Array | undefined;
}

/** Bounds of the slots, applied in the transaction of each upload. */
export interface SlotBounds {
  readonly blobsPerSlot: number;
  readonly slotsTotal: number;
  readonly bytesTotal: number;
  /** Nanoseconds that a blob lives at most, from its last upload. */
  readonly lifeNs: bigint;
}

/** Until when a blob is served that is uploaded now. */
export function servedUntilNs({ expiresAtNs }: SlotBlob, { lifeNs }: SlotBounds, nowNs: bigint): bigint {
  const end = nowNs + lifeNs;
  return expiresAtNs === 0n || expiresAtNs > end ? end : expiresAtNs;
}

/** Which blobs of a slot are asked for: all when `match` is left out. Expired ones are never given. */
export interface SlotQuery {
  readonly slotId: Uint8Array;
  readonly match?: { readonly epoch: bigint; readonly digest: Uint8Array } | undefined;
  readonly nowNs: bigint;
}

/** Blobs that a slot holds, in order of upload, newest last. */
export interface SlotPage {
  readonly blobs: readonly { readonly id: bigint; readonly bytes: number }[];
  /** Equal for the same blobs in the same order only. */
  readonly tag: string;
}

/** What became of an upload. */
export type SlotPutOutcome = "stored" | "present" | "forbidden";

/** Invite slots (XIP-82): per slot the last blobs in order of upload. */
export interface SlotStore {
  /**
   * Deletes what has expired in this slot, then stores; a byte-identical blob stays where it is and lives on (`present`). An upload
   * with a credential to a slot that holds nothing closes it: from then on others are `forbidden`.
   * Throws NodeError `SLOTS_FULL` when the bounds would be exceeded; nothing is stored then.
   */
  put(
    slotId: Uint8Array,
    blob: SlotBlob,
    bounds: SlotBounds,
    nowNs: bigint,
    writer?: SlotWriter,
  ): Promise<SlotPutOutcome>;
  /** Whether the slot would take an upload by this right. */
  admits(slotId: Uint8Array, writer: SlotWriter): Promise<boolean>;
  /** The blobs that are asked for, by id and size, without reading them. */
  measure(query: SlotQuery): Promise<SlotPage>;
  /** The bytes of a blob; undefined when it is no longer there. */
  blob(id: bigint): Promise<Uint8Array | undefined>;
  /**
   * Deletes expired blobs of all slots and tells how many there were; and the credentials of slots that hold nothing and
   * were not written since `credentialsSinceNs`.
   */
  sweep(nowNs: bigint, credentialsSinceNs: bigint): Promise<number>;
}
