import { LatchkeyError, MlsGroup, toHex, type GroupChange, type PendingCommit, type Rows } from "@latchkey/mls";
import { readGroupState, type GroupState } from "@latchkey/xmtp";
import type { ClientContext } from "./client-context.ts";
import { clientError } from "../errors.ts";
import { ReopenState } from "./reopen-state.ts";
import { credentialsToRemember } from "./slot-credentials.ts";
import { Mutex } from "../mutex.ts";
import { NOBODY_ADDED, type Addition } from "./addition.ts";
import { ReceiptState } from "./receipt-state.ts";
import { noteHint } from "./hints.ts";
import { recordRefusals, type Refusal } from "./refusals.ts";
import { SentCopies } from "./sent-copies.ts";
import type { GroupRecord, PendingCommitRecord } from "../store/records.ts";
import { deleteEntry, hiddenEntries, isChoosable } from "./entries.ts";
import type { Tables } from "../store/store.ts";

/** One change of a group's state on disk and in memory. */
export interface GroupStep {
  readonly change?: GroupChange | undefined;
  readonly record?: Partial<GroupRecord>;
  /** Whatever else belongs into the same transaction. */
  readonly write?: (tables: Tables) => void;
}

/** An own commit on its way; `live` is lost with the process, its rows are not. */
export interface PendingOwnCommit {
  readonly record: PendingCommitRecord;
  readonly live: PendingCommit | undefined;
  /** An error when the members must refuse it. */
  outcome: "waiting" | "merged" | "lost" | LatchkeyError;
}

/** A blob that this member has uploaded. */
export interface UploadedBlob {
  /** Hash of the state in it, in hex. */
  readonly state: string;
  /** How far this member had read the log. */
  readonly logCursor: bigint;
  /** Until when the service said to serve it. */
  readonly servedUntilNs: bigint | undefined;
}

/** Writes rows of an MLS group; null deletes. */
export function writeRows(tables: Tables, groupId: Uint8Array, rows: Rows): void {
  for (const [rowKey, value] of rows) {
    if (value === null) tables.groupRows.delete(groupId, rowKey);
    else tables.groupRows.put({ groupId, rowKey, value });
  }
}

/** Work of higher folders that a group calls for; the client sets it once. */
export interface GroupHooks {
  /**
   * Uploads a blob of the present epoch to the slots of the active invite; nothing without one. `scanned` is the payload
   * that was joined by: nothing is uploaded when the admin has replaced that invite.
   */
  readonly refreshSlots: (core: GroupCore, scanned: Uint8Array | undefined, signal?: AbortSignal) => Promise<void>;
  /** Does the duties that reading the log has left, see `upkeep/after-reading.ts`. */
  readonly afterReading: (core: GroupCore, signal: AbortSignal | undefined) => Promise<void>;
  /** Follows the identity logs of members before anything is written for them, see `upkeep/follow-identities.ts`. */
  readonly beforeWriting: (core: GroupCore, signal: AbortSignal | undefined) => Promise<void>;
}

/** What a group needs of its client. */
export interface GroupParts {
  readonly context: ClientContext;
  readonly hooks: GroupHooks;
  /** Called after the group was deleted. */
  readonly release: (core: GroupCore) => void;
}

/**
 * One group of this installation: the MLS state, where reading stands, and the lock under which both move.
 *
 * Whatever changes the group runs inside of `exclusive` and goes through `step` or `stepByRows`, so that memory is never
 * ahead of disk; but for envelopes that change nothing, which `pass` collects for the next transaction.
 */
export class GroupCore {
  readonly context: ClientContext;
  readonly hooks: GroupHooks;
  readonly groupId: Uint8Array;
  /** The turn of whoever works off the queue of follow-ups. */
  readonly followUpTurn = new Mutex();
  /** By the address of each invite service: what was uploaded there last. */
  readonly uploads = new Map<string, UploadedBlob>();
  /** Why the slots of the active invite do not all serve the present state; undefined when they do, or nobody looked. */
  uploadFailure: LatchkeyError | undefined;
  /** Which refused commits of the present epoch the slots have answered. */
  readonly reopening = new ReopenState();
  /** Whether joiners wait for a message of a member in their epoch. */
  readonly receipts = new ReceiptState();
  /** By the name of each duty that was scheduled: the earliest time of its next run, or that it waits; see `upkeep/duty.ts`. */
  readonly dutyTimes = new Map<string, bigint | "waiting">();
  /** Why reading the log stopped at an envelope (IDENTITY_PENDING); undefined when it was read to its end. */
  identityWait: LatchkeyError | undefined;
  /** Hashes of own messages that the log was seen to have behind an envelope that waits. */
  readonly seenAhead = new Set<string>();
  readonly sentCopies = new SentCopies();
  pendingCommit: PendingOwnCommit | undefined;
  /** When the node stamped the newest join by an external commit that was read in this process; 0 for none. */
  lastJoinNs = 0n;
  /** What came of adding inboxes last, in this process. */
  lastAddition: Addition = NOBODY_ADDED;
  #mls: MlsGroup;
  #record: GroupRecord;
  /** The record on disk, while envelopes were passed by since. */
  #writtenRecord: GroupRecord | undefined;
  #refusals: Refusal[] = [];
  /** All rows of a group that was just made: they are written with its first step. */
  #unwritten: Rows | undefined;
  #isDeleted = false;
  readonly #mutex = new Mutex();
  readonly #parts: GroupParts;

  private constructor(parts: GroupParts, record: GroupRecord, mls: MlsGroup) {
    const { context, hooks } = parts;
    this.#parts = parts;
    this.context = context;
    this.hooks = hooks;
    this.groupId = record.groupId;
    this.#record = record;
    this.#mls = mls;
    const pending = context.store.pendingCommits.get(record.groupId);
    this.pendingCommit = pending === undefined ? undefined : { record: pending, live: undefined, outcome: "waiting" };
  }

  /** A group of the store; throws STORE_DAMAGED when its rows make none. */
  static load(parts: GroupParts, record: GroupRecord): GroupCore {
    return new GroupCore(parts, record, loadMls(parts.context, record.groupId));
  }

  /** A group that was just made; nothing of it is on disk before its first step, so that a crash leaves none without members. */
  static create(parts: GroupParts, record: GroupRecord, mls: MlsGroup): GroupCore {
    const core = new GroupCore(parts, record, mls);
    core.#unwritten = mls.snapshot();
    return core;
  }

  /** Another entry of this group's id, such as a claim: loaded anew and not kept. */
  openEntry(record: GroupRecord): GroupCore {
    return GroupCore.load(this.#parts, record);
  }

  /** False for a group that was just made and has not taken its first step. */
  get isWritten(): boolean {
    return this.#unwritten === undefined;
  }

  get mls(): MlsGroup {
    return this.#mls;
  }

  get record(): GroupRecord {
    return this.#record;
  }

  /** Group id in hex. */
  get id(): string {
    return toHex(this.groupId);
  }

  get active(): boolean {
    return this.#record.active === 1n;
  }

  /** True where the group's log is read into this entry. */
  get isRead(): boolean {
    return this.active && this.#record.role === "shown";
  }

  /** True where this installation may write to the group's log: not while two histories without proof claim its id. */
  get mayWrite(): boolean {
    return this.isRead && this.#record.status !== "parted" && !isContested(this);
  }

  /** Name, members, admins and invite policy of the current epoch. */
  get state(): GroupState {
    return readGroupState(this.#mls.appData);
  }

  /** Runs a task while nothing else changes the group; with a signal it can be aborted while it waits for its turn. */
  exclusive<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#mutex.run(task, signal);
  }

  /**
   * Moves behind an envelope that changes nothing else, and notes why it was refused. It is written with the next step, or
   * by `flush`: a page of junk is one transaction.
   */
  pass(record: Partial<GroupRecord>, refusal?: Refusal): void {
    this.#writtenRecord ??= this.#record;
    this.#record = { ...this.#record, ...record };
    if (refusal !== undefined) this.#refusals.push(refusal);
  }

  /** Writes what was passed by, if anything was. */
  flush(): void {
    if (this.#writtenRecord !== undefined) this.step({});
  }

  /**
   * Writes a step as one transaction and then takes it over; when the write throws, nothing has changed, and envelopes
   * that were passed by are read again.
   */
  step(step: GroupStep): void {
    try {
      this.#write(step);
    } catch (error) {
      this.#record = this.#writtenRecord ?? this.#record;
      this.#forgetPassed();
      throw error;
    }
  }

  #forgetPassed(): void {
    this.#writtenRecord = undefined;
    this.#refusals = [];
  }

  #write(step: GroupStep): void {
    // A task that waited for its turn finds the group gone: nothing of it may be written any more.
    if (this.#isDeleted) throw clientError("NOT_A_MEMBER", "the group was forgotten on this installation");
    const record = { ...this.#record, ...step.record };
    const unwritten = this.#unwritten;
    const isMoved = step.record !== undefined || this.#writtenRecord !== undefined;
    const endsEpoch = step.record?.epochEnteredAtNs !== undefined;
    const credentials = endsEpoch ? credentialsToRemember(this.context, this.groupId, this.#mls) : undefined;
    this.context.store.transaction((tables) => {
      if (unwritten !== undefined) writeRows(tables, this.groupId, unwritten);
      if (step.change !== undefined) writeRows(tables, this.groupId, step.change.rows);
      if (unwritten !== undefined || isMoved) tables.groups.put(record);
      recordRefusals(tables, this.groupId, this.#refusals);
      for (const refusal of this.#refusals) noteHint(tables, this.groupId, refusal);
      if (credentials !== undefined) tables.slotCredentials.put(credentials);
      step.write?.(tables);
    });
    this.#unwritten = undefined;
    this.#forgetPassed();
    if (step.change !== undefined) this.#mls.merge(step.change);
    this.#record = record;
  }

  /** As `step` with rows that only exist in their stored form; the MLS state is read anew. */
  stepByRows(rows: Rows, step: Omit<GroupStep, "change">): void {
    this.step({ ...step, write: (tables) => (writeRows(tables, this.groupId, rows), step.write?.(tables)) });
    this.#mls = loadMls(this.context, this.groupId);
  }

  /** Forgets the own commit under way, whose row is gone. */
  settlePendingCommit(outcome: "merged" | "lost" | LatchkeyError): void {
    if (this.pendingCommit !== undefined) this.pendingCommit.outcome = outcome;
    this.pendingCommit = undefined;
  }

  /** Takes over a record and rows that a join has written. */
  adopt(record: GroupRecord): void {
    this.#record = record;
    this.#forgetPassed();
    this.seenAhead.clear();
    this.sentCopies.reset();
    this.#mls = loadMls(this.context, this.groupId);
    this.settlePendingCommit("lost");
  }

  /**
   * Deletes the group with everything of it; `write` adds to the transaction. From here on nothing is read, written or sent.
   */
  delete(write?: (tables: Tables) => void): void {
    const { context, groupId } = this;
    context.store.transaction((tables) => {
      deleteEntry(tables, groupId);
      tables.joins.delete(groupId);
      write?.(tables);
    });
    this.#isDeleted = true;
    this.#forgetPassed();
    this.#record = { ...this.#record, active: 0n };
    this.settlePendingCommit("lost");
    context.keyPackageFaults.forget(groupId);
    this.#parts.release(this);
  }

  /**
   * Throws NOT_A_MEMBER after this installation was removed, or turned out never to have been let in; GROUP_PARTED when
   * the group went on without its state; GROUP_CONFLICT for a history that is not the one in use.
   */
  requireActive(): void {
    if (this.#isDeleted) throw clientError("NOT_A_MEMBER", "the group was forgotten on this installation");
    if (this.#record.status === "refused") {
      throw clientError("NOT_A_MEMBER", "the group's members did not accept the join; join again by an invite");
    }
    if (!this.active) throw clientError("NOT_A_MEMBER", "this installation is not a member of the group any more");
    if (this.#record.status === "parted") {
      throw clientError(
        "GROUP_PARTED",
        "the group has gone on without the state of this installation; sync until a super admin has added it again",
        { data: { proof: this.context.store.histories.get(this.groupId)?.proof } },
      );
    }
    requireChosen(this);
  }
}

/** Whether another history claims the id, and this one is not proven. */
function isContested({ context, record }: GroupCore): boolean {
  return record.proven === 0n && hiddenEntries(context, record.mlsGroupId).some(isChoosable);
}

/** Throws GROUP_CONFLICT when another history is the one in use, or two without proof claim the group's id. */
function requireChosen(core: GroupCore): void {
  if (core.record.role === "shown" && !isContested(core)) return;
  throw clientError(
    "GROUP_CONFLICT",
    "two groups of this id exist and this one is not proven; choose one of `conversations.conflicts()`",
  );
}

/** Throws STORE_DAMAGED when the rows make no group. */
function loadMls(context: ClientContext, groupId: Uint8Array): MlsGroup {
  const rows = context.store.groupRows.list(groupId);
  try {
    return MlsGroup.load(
      context.groupConfig,
      rows.map(({ rowKey, value }): [string, Uint8Array] => [rowKey, value]),
    );
  } catch (cause) {
    if (!(cause instanceof LatchkeyError)) throw cause;
    throw clientError(
      "STORE_DAMAGED",
      "the state of a group was damaged; put back a copy of the database that was made while it was closed",
      { cause },
    );
  }
}
