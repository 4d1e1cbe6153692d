import type {
  AdmissionRecord,
  ExpiryRecord,
  FollowUpRecord,
  GroupRecord,
  GroupRow,
  IdentityRecord,
  IdentityUpdateRecord,
  JoinRecord,
  KeyPackageRecord,
  LeaveRequestRecord,
  MessageRecord,
  OutboxRecord,
  PendingCommitRecord,
  RejectionRecord,
  UnsupportedGroupRecord,
  WaitingWelcomeRecord,
} from "./records.ts";

/** The values of the fields `K` of `R`, in order. */
export type Key<R, K extends readonly (keyof R)[]> = { readonly [I in keyof K]: R[K[I]] };

/** The rows of one kind, for reading. `K` names the fields of the key. */
export interface ReadTable<R, K extends readonly (keyof R)[]> {
  get(...key: Key<R, K>): R | undefined;
  /** All rows whose key begins with the given fields, ascending by key. */
  list(...prefix: Partial<Key<R, K>>): R[];
  /** The rows that share all fields of the key but the last, which is greater in them; ascending. */
  listAfter(...key: Key<R, K>): R[];
}

/** The rows of one kind, inside of a transaction. */
export interface Table<R, K extends readonly (keyof R)[]> extends ReadTable<R, K> {
  /** Writes a row, in place of the one with the same key if there is one. */
  put(row: R): void;
  /** Deletes all rows whose key begins with the given fields. */
  delete(...prefix: Partial<Key<R, K>>): void;
}

/** All that is kept, for writing. */
export interface Tables {
  readonly identity: Table<IdentityRecord, ["name"]>;
  readonly keyPackages: Table<KeyPackageRecord, ["reference"]>;
  readonly waitingWelcomes: Table<WaitingWelcomeRecord, ["id"]>;
  readonly unsupportedGroups: Table<UnsupportedGroupRecord, ["groupId"]>;
  readonly groups: Table<GroupRecord, ["groupId"]>;
  readonly groupRows: Table<GroupRow, ["groupId", "rowKey"]>;
  readonly messages: Table<MessageRecord, ["groupId", "id"]>;
  readonly expiries: Table<ExpiryRecord, ["groupId", "expiresAtNs", "id"]>;
  readonly outbox: Table<OutboxRecord, ["groupId", "queueId"]>;
  readonly pendingCommits: Table<PendingCommitRecord, ["groupId"]>;
  readonly joins: Table<JoinRecord, ["groupId"]>;
  readonly followUps: Table<FollowUpRecord, ["groupId", "followUpId"]>;
  readonly identityUpdates: Table<IdentityUpdateRecord, ["inboxId", "sequenceId"]>;
  readonly admissions: Table<AdmissionRecord, ["groupId", "id"]>;
  readonly leaveRequests: Table<LeaveRequestRecord, ["groupId", "inboxId"]>;
  readonly rejections: Table<RejectionRecord, ["groupId", "id"]>;
}

/** All that is kept, for reading. */
export type ReadTables = { readonly [T in keyof Tables]: Pick<Tables[T], keyof ReadTable<unknown, never>> };
export type TableName = keyof Tables;

/**
 * Durable memory of one installation.
 *
 * Every change of state is one `transaction`: it is on disk as a whole when the call returns, and not at all when it
 * throws. Errors carry the codes STORE_VERSION, STORE_FULL and STORE_FAILED.
 */
export interface Store extends ReadTables {
  /** Runs `write` and commits, synchronously; whatever `write` throws undoes all of it. Not nestable. */
  transaction<T>(write: (tables: Tables) => T): T;
  close(): void;
}
