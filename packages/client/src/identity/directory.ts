import { toBinary } from "@bufbuild/protobuf";
import type { AssociationState } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { clientError, shortId } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { IdentityLogEntry, Transport } from "../transport/transport.ts";
import { replayLog, type KnownState, type ReplayedLog, type ReplayEntry } from "./replay-log.ts";
import { SignatureTurns } from "./signature-turns.ts";

/** An inbox at one position of its identity log. */
export interface IdentityAt {
  readonly inboxId: string;
  readonly sequenceId: bigint;
}

/** As `IdentityDirectory` found inboxes: after exactly that update, or undefined when no such update is known. */
export type IdentityLookup = (inboxId: string, sequenceId: bigint) => AssociationState | undefined;

interface DirectoryOptions {
  /** Bounds the updates that are kept on disk, but for what the last request brought. */
  readonly maxBytes?: number;
  /** Bounds what is kept in memory, in members and signatures of states. */
  readonly maxEntries?: number;
  readonly turns?: SignatureTurns;
}

/**
 * The identity logs this client has seen and verified, in memory, and on disk for the next start.
 *
 * An update that does not verify ends the log there: what follows is as unknown as if the node had never served it. All of
 * it can be asked from the node again, so that somebody who names inboxes without end makes us forget, and not fill the
 * disk. Verdicts on signatures are kept beside the updates, so that no start verifies them again.
 */
export class IdentityDirectory {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #turns: SignatureTurns;
  /** By inbox, the end of the last replay that was begun. */
  readonly #replays = new Map<string, Promise<void>>();
  readonly #logs = new Map<string, readonly KnownState[]>();
  #entries = 0;
  /** Counts how often all was forgotten: a replay that began before then has no beginning to be kept behind. */
  #generation = 0;
  /** Of the updates on disk; undefined until something is asked from the node. */
  #bytes: number | undefined;

  constructor(store: Store, transport: Transport, options: DirectoryOptions = {}) {
    this.#store = store;
    this.#transport = transport;
    this.#maxBytes = options.maxBytes ?? CLIENT_LIMITS.maxIdentityBytes;
    this.#maxEntries = options.maxEntries ?? CLIENT_LIMITS.maxIdentityEntries;
    this.#turns = options.turns ?? new SignatureTurns();
  }

  /**
   * What is known of inboxes, after fetching the logs of those that are not known up to where they are needed; it stays
   * as it is. Updates that the node had not taken by `notAfterNs` are left out. For a commit that is its envelope time: a
   * commit that runs ahead of the identity log is refused by every member alike, also by those that read it when the log
   * has caught up.
   *
   * @throws as `Transport`.
   */
  async lookup(
    needed: readonly IdentityAt[],
    options: { readonly notAfterNs?: bigint; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<IdentityLookup> {
    const { notAfterNs, signal } = options;
    const logs = new Map<string, readonly KnownState[]>();
    for (const { inboxId } of needed) {
      if (!logs.has(inboxId)) logs.set(inboxId, await this.#known(inboxId));
    }
    const missing = needed.filter(({ inboxId, sequenceId }) => lastId(logs.get(inboxId) ?? []) < sequenceId);
    const fetched = await this.#fetch([...new Set(missing.map(({ inboxId }) => inboxId))], signal);
    for (const [inboxId, log] of fetched) logs.set(inboxId, log);
    return (inboxId, sequenceId) => {
      const known = logs.get(inboxId)?.find((candidate) => candidate.sequenceId === sequenceId);
      const inTime = known !== undefined && (notAfterNs === undefined || known.serverTimestampNs <= notAfterNs);
      return inTime ? known.state : undefined;
    };
  }

  /** An inbox after exactly that update, where its log is in memory; asks nobody. */
  known(inboxId: string, sequenceId: bigint): AssociationState | undefined {
    return this.#logs.get(inboxId)?.find((candidate) => candidate.sequenceId === sequenceId)?.state;
  }

  /** The newest states of inboxes, asked from the node, in order; throws INBOX_UNKNOWN when one does not exist. */
  async latest(inboxIds: readonly string[], signal?: AbortSignal): Promise<(IdentityAt & KnownState)[]> {
    const logs = await this.#fetch(inboxIds, signal);
    return inboxIds.map((inboxId) => newest(inboxId, logs));
  }

  /** As `latest`, of one inbox. */
  async latestOf(inboxId: string, signal?: AbortSignal): Promise<IdentityAt & KnownState> {
    return newest(inboxId, await this.#fetch([inboxId], signal));
  }

  #known(inboxId: string): Promise<readonly KnownState[]> {
    const known = this.#logs.get(inboxId);
    return known === undefined ? this.#inTurn(inboxId, () => this.#load(inboxId)) : Promise.resolve(known);
  }

  async #fetch(
    inboxIds: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Map<string, readonly KnownState[]>> {
    const logs = new Map<string, readonly KnownState[]>();
    if (inboxIds.length === 0) return logs;
    this.#forgetIfFull();
    for (const inboxId of inboxIds) logs.set(inboxId, await this.#known(inboxId));
    const requests = inboxIds.map((inboxId) => ({ inboxId, afterSequenceId: lastId(logs.get(inboxId) ?? []) }));
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    for (const [index, inboxId] of inboxIds.entries()) {
      const before = logs.get(inboxId) ?? [];
      logs.set(inboxId, await this.#inTurn(inboxId, () => this.#append(inboxId, before, answers[index] ?? [])));
    }
    return logs;
  }

  /** Replays of one log run one after the other. */
  #inTurn<T>(inboxId: string, replay: () => Promise<T>): Promise<T> {
    const result = (this.#replays.get(inboxId) ?? Promise.resolve()).then(replay);
    const forget = () => {
      if (this.#replays.get(inboxId) === ended) this.#replays.delete(inboxId);
    };
    const ended: Promise<void> = result.then(forget, forget);
    this.#replays.set(inboxId, ended);
    return result;
  }

  #forgetIfFull(): void {
    this.#bytes ??= bytesOf(this.#store.identityUpdates.list()) + bytesOf(this.#store.identityVerdicts.list());
    if (this.#bytes <= this.#maxBytes) return;
    this.#store.transaction(({ identityUpdates, identityVerdicts }) => {
      identityUpdates.delete();
      identityVerdicts.delete();
    });
    this.#logs.clear();
    this.#entries = 0;
    this.#bytes = 0;
    this.#generation++;
  }

  /** The log as it is on disk; verdicts of a database from before they were kept are added. */
  async #load(inboxId: string): Promise<readonly KnownState[]> {
    const known = this.#logs.get(inboxId);
    if (known !== undefined) return known;
    const generation = this.#generation;
    const rows = this.#store.identityUpdates.list(inboxId);
    const replayed = await replayLog(inboxId, [], this.#withVerdicts(inboxId, rows), this.#turns);
    if (generation !== this.#generation) return replayed.states;
    this.#keep(inboxId, { ...replayed, accepted: [] });
    return replayed.states;
  }

  /** A log with what was asked for behind `before`. */
  async #append(
    inboxId: string,
    before: readonly KnownState[],
    entries: readonly IdentityLogEntry[],
  ): Promise<readonly KnownState[]> {
    const known = await this.#load(inboxId);
    // Forgotten since the request: this is good for its caller, and has no beginning to be kept behind.
    const generation = known.length < before.length ? undefined : this.#generation;
    const base = known.length < before.length ? before : known;
    const replayed = await replayLog(inboxId, base, this.#withVerdicts(inboxId, serialized(entries)), this.#turns);
    if (generation === this.#generation) this.#keep(inboxId, replayed);
    return replayed.states;
  }

  *#withVerdicts(inboxId: string, rows: Iterable<Omit<ReplayEntry, "verdict">>): Iterable<ReplayEntry> {
    for (const row of rows) {
      yield { ...row, verdict: this.#store.identityVerdicts.get(inboxId, row.sequenceId)?.verdict };
    }
  }

  #keep(inboxId: string, { states, accepted, verdicts }: ReplayedLog): void {
    const updates = accepted.map(({ sequenceId, serverTimestampNs, update }) => {
      return { inboxId, sequenceId, serverTimestampNs, update };
    });
    const judged = [...verdicts].map(([sequenceId, verdict]) => ({ inboxId, sequenceId, verdict }));
    if (updates.length + judged.length > 0) {
      this.#store.transaction(({ identityUpdates, identityVerdicts }) => {
        for (const row of updates) identityUpdates.put(row);
        for (const row of judged) identityVerdicts.put(row);
      });
      this.#bytes = this.#bytes === undefined ? undefined : this.#bytes + bytesOf(updates) + bytesOf(judged);
    }
    this.#remember(inboxId, states);
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

function newest(inboxId: string, logs: ReadonlyMap<string, readonly KnownState[]>): IdentityAt & KnownState {
  const known = logs.get(inboxId)?.at(-1);
  if (known !== undefined) return { inboxId, ...known };
  throw clientError("INBOX_UNKNOWN", `inbox ${shortId(inboxId)} is not registered at the node`, {
    data: { inboxId: shortId(inboxId) },
  });
}

function lastId(log: readonly KnownState[]): bigint {
  return log.at(-1)?.sequenceId ?? 0n;
}

function* serialized(entries: readonly IdentityLogEntry[]): Iterable<Omit<ReplayEntry, "verdict">> {
  for (const { sequenceId, serverTimestampNs, update } of entries) {
    yield { sequenceId, serverTimestampNs, update: toBinary(IdentityUpdateSchema, update) };
  }
}

function bytesOf(rows: readonly { readonly update?: Uint8Array; readonly verdict?: Uint8Array }[]): number {
  return rows.reduce((sum, { update, verdict }) => sum + (update?.length ?? 0) + (verdict?.length ?? 0), 0);
}

function entriesOf(log: readonly KnownState[]): number {
  return log.reduce((sum, { state }) => sum + state.members.size + state.seenSignatures.size, 0);
}
