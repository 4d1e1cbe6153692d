import type { DeviceLinkRecord } from "./device-link-record.ts";
import type {
  AdmissionRecord,
  DefectRecord,
  EncryptionRecord,
  ExpiryRecord,
  FollowUpRecord,
  GroupRecord,
  GroupRow,
  IdentityRecord,
  IdentityUpdateRecord,
  IdentityVerdictRecord,
  InviteRenewalRecord,
  JoinRecord,
  KeyPackageRecord,
  LeaveRequestRecord,
  MessageIdRecord,
  MessageRecord,
  OutboxRecord,
  PendingCommitRecord,
  RejectionRecord,
  SlotCredentialsRecord,
  UnsupportedGroupRecord,
  WaitingWelcomeRecord,
  HistoryRecord,
  HintRecord,
  GapRecord,
  ReaddRecord,
  ForgottenGroupRecord,
} from "./records.ts";

/** The values of the fields `K` of `R`, in order. */
export type Key<R, K extends readonly (keyof R)[]> = { readonly [I in keyof K]: R[K[I]] };

/**
 * The rows of one kind, for reading. `K` names the fields of the key. Keys sort field by field: bytes and the UTF-8 of
 * texts as unsigned bytes, integers by value.
 */
export interface ReadTable<R, K extends readonly (keyof R)[]> {
  get(...key: Key<R, K>): R | undefined;
  /** All rows whose key begins with the given fields, ascending by key. */
  list(...prefix: Partial<Key<R, K>>): R[];
  /** The rows that share all fields of the key but the last, which is greater in them; ascending. */
  listAfter(...key: Key<R, K>): R[];
  /** How many rows `list` would give, without reading them. */
  count(...prefix: Partial<Key<R, K>>): number;
}

/** The rows of one kind, inside of a transaction. */
export interface Table<R, K extends readonly (keyof R)[]> extends ReadTable<R, K> {
  /** Writes a row, in place of the one with the same key if there is one. */
  put(row: R): void;
  /** Deletes all rows whose key begins with the given fields. */
  delete(...prefix: Partial<Key<R, K>>): void;
}

/** What the rows of each table hold. */
interface Records {
  readonly encryption: EncryptionRecord;
  readonly identity: IdentityRecord;
  readonly keyPackages: KeyPackageRecord;
  readonly waitingWelcomes: WaitingWelcomeRecord;
  readonly unsupportedGroups: UnsupportedGroupRecord;
  readonly groups: GroupRecord;
  readonly groupRows: GroupRow;
  readonly messages: MessageRecord;
  readonly messageIds: MessageIdRecord;
  readonly expiries: ExpiryRecord;
  readonly outbox: OutboxRecord;
  readonly pendingCommits: PendingCommitRecord;
  readonly joins: JoinRecord;
  readonly followUps: FollowUpRecord;
  readonly identityUpdates: IdentityUpdateRecord;
  readonly identityVerdicts: IdentityVerdictRecord;
  readonly admissions: AdmissionRecord;
  readonly leaveRequests: LeaveRequestRecord;
  readonly slotCredentials: SlotCredentialsRecord;
  readonly inviteRenewals: InviteRenewalRecord;
  readonly rejections: RejectionRecord;
  readonly defects: DefectRecord;
  readonly deviceLinks: DeviceLinkRecord;
  readonly histories: HistoryRecord;
  readonly hints: HintRecord;
  readonly gaps: GapRecord;
  readonly readds: ReaddRecord;
  readonly forgottenGroups: ForgottenGroupRecord;
}

/** The fields of each table's key, in order. */
export const TABLE_KEYS = {
  encryption: ["name"],
  identity: ["name"],
  keyPackages: ["reference"],
  waitingWelcomes: ["id"],
  unsupportedGroups: ["groupId"],
  groups: ["groupId"],
  groupRows: ["groupId", "rowKey"],
  messages: ["groupId", "id"],
  messageIds: ["groupId", "mark"],
  expiries: ["groupId", "expiresAtNs", "id"],
  outbox: ["groupId", "queueId"],
  pendingCommits: ["groupId"],
  joins: ["groupId"],
  followUps: ["groupId", "followUpId"],
  identityUpdates: ["inboxId", "sequenceId"],
  identityVerdicts: ["inboxId", "sequenceId"],
  admissions: ["groupId", "id"],
  leaveRequests: ["groupId", "inboxId"],
  slotCredentials: ["groupId"],
  inviteRenewals: ["groupId"],
  rejections: ["groupId", "id"],
  defects: ["groupId", "id"],
  deviceLinks: ["name"],
  histories: ["groupId"],
  hints: ["groupId", "kind"],
  gaps: ["groupId", "fromId"],
  readds: ["groupId", "installationKey"],
  forgottenGroups: ["groupId"],
} as const satisfies { readonly [T in TableName]: readonly (keyof Records[T])[] };

/** All that is kept, for writing. */
export type Tables = {
  readonly [T in TableName]: (typeof TABLE_KEYS)[T] extends infer K extends readonly (keyof Records[T])[]
    ? Table<Records[T], K>
    : never;
};

/** All that is kept, for reading. */
export type ReadTables = { readonly [T in keyof Tables]: Pick<Tables[T], keyof ReadTable<unknown, never>> };
export type TableName = keyof Records;

/** The fields of a table's rows that always hold bytes. */
export type BytesField<T extends TableName> = {
  [F in keyof Records[T]]: Records[T][F] extends Uint8Array ? F : never;
}[keyof Records[T]];

/** What a field may hold. */
export type Value = Uint8Array | string | bigint | undefined;

/** A row of whatever table. */
export type Row = Readonly<Record<string, Value>>;

/** A table of whatever rows, for code that treats all tables alike. */
export interface AnyTable {
  get(...key: Value[]): Row | undefined;
  list(...prefix: Value[]): Row[];
  listAfter(...key: Value[]): Row[];
  count(...prefix: Value[]): number;
  put(row: Row): void;
  delete(...prefix: Value[]): void;
}

/**
 * Durable memory of one installation.
 *
 * Every change of state is one `transaction`: it is on disk as a whole when the call returns, and not at all when it
 * throws. Errors carry the codes that begin with STORE_.
 *
 * Rows own their bytes: the store keeps no array of the caller, returns no array of its own, and no view of a larger
 * buffer. Texts hold any code point, NUL and a byte order mark included; half of a surrogate pair becomes U+FFFD. Integers
 * lie between −2^63 and 2^63 − 1.
 *
 * `storeCases` of `@latchkey/client/testing` checks all of it.
 */
export interface Store extends ReadTables {
  /**
   * Runs `write` and commits, synchronously. What `write` throws undoes all of it and is thrown again. Reads inside of it,
   * by `tables` or by the store, see its writes.
   *
   * @throws STORE_FAILED (a defect) inside of another transaction, for tables that are used outside of one, and for a value
   * that does not fit; STORE_FULL; CLIENT_CLOSED.
   */
  transaction<T>(write: (tables: Tables) => T): T;
  /** Undoes a transaction that is running; every later call throws CLIENT_CLOSED. Idempotent. */
  close(): void;
}
