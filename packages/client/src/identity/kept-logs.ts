import type { ReplayedLog, KnownState, ReplayEntry } from "./replay-log.ts";
import type { ReadTables, Store, Tables } from "../store/store.ts";
import { revokesAny } from "./revocations.ts";

/** Called with a log that shows a new revocation. */
export type RevocationListener = (tables: Tables, inboxId: string, states: readonly KnownState[]) => void;

/** Called with a log that has updates it had not before. */
export type GrowthListener = (inboxId: string, states: readonly KnownState[]) => void;

/** A log that was replayed and is to be kept. */
export interface LogChange {
  readonly inboxId: string;
  /** `accepted` has what is not on disk yet. */
  readonly replayed: ReplayedLog;
  /** Whether it takes the place of the rows on disk. */
  readonly replaces: boolean;
}

/**
 * Identity logs in memory, with their updates and verdicts on disk. Both are bounded: on disk by bytes, where all are
 * forgotten once there are too many, in memory by members and signatures, where the logs read first make room.
 */
export class KeptLogs {
  readonly #store: Store;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #logs = new Map<string, readonly KnownState[]>();
  #entries = 0;
  #onRevocation: RevocationListener | undefined;
  #onGrowth: GrowthListener | undefined;
  #generation = 0;
  /** Of the rows on disk; undefined until they are to be counted. */
  #bytes: number | undefined;

  constructor(store: Store, maxBytes: number, maxEntries: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  /** Counts how often all was forgotten: a replay that began before then has no beginning to be kept behind. */
  get generation(): number {
    return this.#generation;
  }

  /** Has a listener called with each log that shows a new revocation, in the transaction that keeps the log. */
  onRevocation(listener: RevocationListener): void {
    this.#onRevocation = listener;
  }

  /** Has a listener called with each log that has grown, once it is kept. */
  onGrowth(listener: GrowthListener): void {
    this.#onGrowth = listener;
  }

  /** A log that is in memory. */
  inMemory(inboxId: string): readonly KnownState[] | undefined {
    return this.#logs.get(inboxId);
  }

  /** The updates of a log on disk, with their verdicts. */
  rows(inboxId: string): ReplayEntry[] {
    return this.withVerdicts(inboxId, this.#store.identityUpdates.list(inboxId));
  }

  /** Updates with the verdicts that were kept for their sequence ids. */
  withVerdicts(inboxId: string, rows: readonly Omit<ReplayEntry, "verdict">[]): ReplayEntry[] {
    const verdictOf = (sequenceId: bigint) => this.#store.identityVerdicts.get(inboxId, sequenceId)?.verdict;
    return rows.map((row) => ({ ...row, verdict: verdictOf(row.sequenceId) }));
  }

  /** Forgets all logs if their rows have more bytes than allowed; returns whether it did. */
  forgetIfFull(): boolean {
    this.#bytes ??= bytesOnDisk(this.#store);
    if (this.#bytes <= this.#maxBytes) return false;
    this.#store.transaction(({ identityUpdates, identityVerdicts }) => {
      identityUpdates.delete();
      identityVerdicts.delete();
    });
    this.#logs.clear();
    this.#entries = 0;
    this.#bytes = 0;
    this.#generation++;
    return true;
  }

  /** Keeps logs, all in one transaction. */
  keep(changes: readonly LogChange[]): void {
    const rows = changes.map((change) => ({ change, ...rowsOf(change) }));
    const written = rows.filter(({ change, updates, judged }) => change.replaces || updates.length + judged.length > 0);
    if (written.length > 0) {
      this.#store.transaction((tables) => {
        const { identityUpdates, identityVerdicts } = tables;
        for (const { change, updates, judged } of written) {
          const { inboxId, replayed } = change;
          if (change.replaces) identityUpdates.delete(inboxId);
          for (const row of updates) identityUpdates.put(row);
          for (const row of judged) identityVerdicts.put(row);
          if (revokesAny(replayed.states, updates.length)) this.#onRevocation?.(tables, inboxId, replayed.states);
        }
      });
    }
    for (const { change, bytes } of rows) {
      this.#bytes = this.#bytes === undefined || change.replaces ? undefined : this.#bytes + bytes;
      this.#remember(change.inboxId, change.replayed.states);
    }
    for (const { change, updates } of written) {
      if (updates.length > 0) this.#onGrowth?.(change.inboxId, change.replayed.states);
    }
  }

  /** Keeps a log in memory, in place of those that were kept before all others when there are too many. */
  #remember(inboxId: string, states: readonly KnownState[]): void {
    this.#entries += entriesOf(states) - entriesOf(this.#logs.get(inboxId) ?? []);
    this.#logs.delete(inboxId);
    if (states.length > 0) this.#logs.set(inboxId, states);
    for (const [oldest, log] of this.#logs) {
      if (this.#entries <= this.#maxEntries || oldest === inboxId) return;
      this.#logs.delete(oldest);
      this.#entries -= entriesOf(log);
    }
  }
}

function rowsOf({ inboxId, replayed }: LogChange) {
  const updates = replayed.accepted.map(({ sequenceId, serverTimestampNs, update }) => {
    return { inboxId, sequenceId, serverTimestampNs, update };
  });
  const judged = [...replayed.verdicts].map(([sequenceId, verdict]) => ({ inboxId, sequenceId, verdict }));
  return { updates, judged, bytes: bytesOf(updates) + bytesOf(judged) };
}

/** Bytes that keeping a log adds to the disk. */
export function bytesOfChange(change: LogChange): number {
  return rowsOf(change).bytes;
}

function bytesOnDisk({ identityUpdates, identityVerdicts }: ReadTables): number {
  return bytesOf(identityUpdates.list()) + bytesOf(identityVerdicts.list());
}

interface SizedRow {
  readonly update?: Uint8Array;
  readonly verdict?: Uint8Array;
}

function bytesOf(rows: readonly SizedRow[]): number {
  return rows.reduce((sum, { update, verdict }) => sum + (update?.length ?? 0) + (verdict?.length ?? 0), 0);
}

function entriesOf(log: readonly KnownState[]): number {
  return log.reduce((sum, { state }) => sum + state.members.size + state.seenSignatures.size, 0);
}
