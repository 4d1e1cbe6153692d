import { toBinary } from "@bufbuild/protobuf";
import type { AssociationState, IdentityPoint } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { systemClock } from "../clock.ts";
import { clientError, shortId, type ClientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Store, Tables } from "../store/store.ts";
import type { IdentityAnswer, IdentityLogEntry, Transport } from "../transport/transport.ts";
import { IDENTITY_LAG_NS, IdentityView, lastId, type ReadLog } from "./identity-view.ts";
import { NodeTime } from "./node-time.ts";
import { isRevokedAt, revokesAny } from "./revocations.ts";
import { endsUnverified, replayLog, type KnownState, type ReplayedLog, type ReplayEntry } from "./replay-log.ts";
import { contractVerifier, SignatureTurns } from "./signature-turns.ts";

/** How identity logs are looked up. */
interface LookupOptions {
  /** Inboxes whose logs are asked from the node although the needed updates are known. */
  readonly fresh?: readonly string[];
  /** Time that the node gave the envelope which is judged. */
  readonly envelopeNs?: bigint;
  readonly signal?: AbortSignal | undefined;
}

/** An inbox after the newest update of its log. */
export interface LatestIdentity extends IdentityPoint, KnownState {}

/** Told of a log that shows a new revocation. */
type RevocationListener = (tables: Tables, inboxId: string, states: readonly KnownState[]) => void;

interface DirectoryOptions {
  /** Bounds the updates that are kept on disk, but for what the last request brought. */
  readonly maxBytes?: number;
  /** Bounds what is kept in memory, in members and signatures of states. */
  readonly maxEntries?: number;
  readonly turns?: SignatureTurns;
  readonly time?: NodeTime;
  /** Lets others get their turn of the event loop; default: a timer of the platform. */
  readonly pause?: () => Promise<void>;
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
  /** What time it is at the node. */
  readonly time: NodeTime;
  /** By inbox, the time up to which the last reading of its log was complete. */
  readonly #complete = new Map<string, bigint>();
  /** By inbox, what two readings of its log agree on. */
  readonly #confirmed = new Map<string, NonNullable<ReadLog["confirmed"]>>();
  /** By inbox, the end of the last replay that was begun. */
  readonly #replays = new Map<string, Promise<void>>();
  readonly #logs = new Map<string, readonly KnownState[]>();
  #entries = 0;
  #onRevocation: RevocationListener | undefined;
  /** Counts how often all was forgotten: a replay that began before then has no beginning to be kept behind. */
  #generation = 0;
  /** Of the updates on disk; undefined until something is asked from the node. */
  #bytes: number | undefined;

  constructor(store: Store, transport: Transport, options: DirectoryOptions = {}) {
    this.#store = store;
    this.#transport = transport;
    this.#maxBytes = options.maxBytes ?? CLIENT_LIMITS.maxIdentityBytes;
    this.#maxEntries = options.maxEntries ?? CLIENT_LIMITS.maxIdentityEntries;
    this.#turns = options.turns ?? new SignatureTurns(undefined, options.pause, contractVerifier(transport));
    this.time = options.time ?? new NodeTime(systemClock);
  }

  /**
   * What is known of inboxes, after fetching the logs of those that are not known up to where they are needed, and the
   * `fresh` ones. Nothing is fetched for an envelope when two readings have shown already that an update does not exist, and
   * no fresh log when a reading has every update that counts for IDN-03.
   *
   * @throws as `Transport`.
   */
  async lookup(needed: readonly IdentityPoint[], options: LookupOptions = {}): Promise<IdentityView> {
    const { fresh = [], envelopeNs, signal } = options;
    if (envelopeNs !== undefined) this.time.observe(envelopeNs);
    const logs = new Map<string, ReadLog>();
    for (const inboxId of new Set([...needed.map((point) => point.inboxId), ...fresh])) {
      logs.set(inboxId, await this.#kept(inboxId));
    }
    const view = new IdentityView(logs);
    const isMissing = (point: IdentityPoint) =>
      lastId(logs.get(point.inboxId)?.states ?? []) < point.sequenceId &&
      !(envelopeNs !== undefined && view.isConfirmed(point, envelopeNs));
    const missing = needed.filter(isMissing).map(({ inboxId }) => inboxId);
    const unsettled = fresh.filter((inboxId) => envelopeNs === undefined || !view.isSettled(inboxId, envelopeNs));
    return view.with(new IdentityView(await this.#fetch([...new Set([...missing, ...unsettled])], signal)));
  }

  /** Reads the logs of inboxes from their beginning, so that this and the reading before confirm each other. */
  async reread(inboxIds: readonly string[], options: Omit<LookupOptions, "fresh"> = {}): Promise<IdentityView> {
    const before = new Map(inboxIds.map((inboxId) => [inboxId, this.#complete.get(inboxId) ?? 0n]));
    const logs = await this.#readFromStart(inboxIds, options.signal);
    for (const [inboxId, log] of logs) {
      const { states, completeNs } = log;
      const agreedNs = smaller(before.get(inboxId) ?? 0n, completeNs);
      const confirmed = { completeNs: agreedNs, lastId: completeNs > 0n ? lastId(states) : 0n };
      this.#note(this.#confirmed, inboxId, confirmed);
      logs.set(inboxId, { ...log, confirmed });
    }
    return new IdentityView(logs);
  }

  /** As the function of that name, as far as the log was read; asks nobody. */
  async isRevokedAt(inboxId: string, installationId: string, timeNs: bigint): Promise<boolean> {
    return isRevokedAt(await this.#known(inboxId), installationId, timeNs);
  }

  /** As `isRevokedAt`, where the log is in memory. */
  isKnownRevoked(inboxId: string, installationId: string, timeNs: bigint): boolean {
    return isRevokedAt(this.#logs.get(inboxId) ?? [], installationId, timeNs);
  }

  /** Has a listener called with the log that shows a new revocation, in the transaction that keeps the log. */
  onRevocation(listener: RevocationListener): void {
    this.#onRevocation = listener;
  }

  /** An inbox after exactly that update, where its log is in memory; asks nobody. */
  known(inboxId: string, sequenceId: bigint): AssociationState | undefined {
    return this.#logs.get(inboxId)?.find((candidate) => candidate.sequenceId === sequenceId)?.state;
  }

  /**
   * The newest states of inboxes, asked from the node, in order.
   *
   * @throws INBOX_UNKNOWN when one does not exist, INBOX_UNVERIFIABLE with all that the node does not verify; as `Transport`.
   */
  async latest(inboxIds: readonly string[], signal?: AbortSignal): Promise<LatestIdentity[]> {
    const { latest, unverifiable } = await this.latestVerifiable(inboxIds, signal);
    if (unverifiable.length > 0) throw inboxUnverifiable(unverifiable);
    return latest;
  }

  /** As `latest`, with the inboxes that the node does not verify beside the others. */
  async latestVerifiable(
    inboxIds: readonly string[],
    signal?: AbortSignal,
  ): Promise<{ readonly latest: LatestIdentity[]; readonly unverifiable: string[] }> {
    const logs = await this.#fetch(inboxIds, signal);
    const isUnverified = (inboxId: string) => endsUnverified(logs.get(inboxId)?.states ?? []);
    const verified = inboxIds.filter((inboxId) => !isUnverified(inboxId));
    return {
      latest: verified.map((inboxId) => newest(inboxId, logs.get(inboxId))),
      unverifiable: inboxIds.filter(isUnverified),
    };
  }

  /** As `latest`, of one inbox. */
  async latestOf(inboxId: string, signal?: AbortSignal): Promise<LatestIdentity> {
    const [latest] = await this.latest([inboxId], signal);
    if (latest !== undefined) return latest;
    throw inboxUnverifiable([inboxId]);
  }

  #known(inboxId: string): Promise<readonly KnownState[]> {
    const known = this.#logs.get(inboxId);
    return known === undefined ? this.#inTurn(inboxId, () => this.#load(inboxId)) : Promise.resolve(known);
  }

  /** A log as it is kept, and how complete its last reading was. */
  async #kept(inboxId: string): Promise<ReadLog> {
    const states = await this.#known(inboxId);
    return { states, completeNs: this.#complete.get(inboxId) ?? 0n, confirmed: this.#confirmed.get(inboxId) };
  }

  /**
   * Reads what lies behind the known part of logs. The newest known update is asked for again: an answer without it is
   * wrong, or what is known is, and then the log is read from its beginning.
   */
  async #fetch(inboxIds: readonly string[], signal: AbortSignal | undefined): Promise<Map<string, ReadLog>> {
    const logs = new Map<string, ReadLog>();
    if (inboxIds.length > 0) this.#forgetIfFull();
    // A part at a time: others say how many inboxes are looked up, and how long their logs are.
    for (let start = 0; start < inboxIds.length; start += CLIENT_LIMITS.lookUpKeys) {
      const part = await this.#fetchPart(inboxIds.slice(start, start + CLIENT_LIMITS.lookUpKeys), signal);
      for (const [inboxId, log] of part) logs.set(inboxId, log);
    }
    return logs;
  }

  async #fetchPart(inboxIds: readonly string[], signal: AbortSignal | undefined): Promise<Map<string, ReadLog>> {
    const logs = new Map<string, ReadLog>();
    const known = new Map<string, readonly KnownState[]>();
    for (const inboxId of inboxIds) known.set(inboxId, await this.#known(inboxId));
    const requests = inboxIds.map((inboxId) => {
      const last = lastId(known.get(inboxId) ?? []);
      return { inboxId, afterSequenceId: last > 0n ? last - 1n : 0n };
    });
    const completeNs = this.time.nowNs() - IDENTITY_LAG_NS;
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    const asOfNs = this.#asOf(answers) ?? completeNs;
    const disagreed: string[] = [];
    for (const [index, inboxId] of inboxIds.entries()) {
      const [before, entries] = [known.get(inboxId) ?? [], answers[index] ?? []];
      if (before.length > 0 && entries[0]?.sequenceId !== lastId(before)) {
        disagreed.push(inboxId);
        continue;
      }
      const states = await this.#inTurn(inboxId, () => this.#append(inboxId, before, entries));
      // A new update was stamped before the answer, where the node says nothing else about its time.
      const stampNs = asOfNs === completeNs ? states.at(-1)?.serverTimestampNs : undefined;
      if (stampNs !== undefined && lastId(states) > lastId(before)) this.time.observe(stampNs);
      this.#note(this.#complete, inboxId, asOfNs);
      logs.set(inboxId, { states, completeNs: asOfNs, confirmed: this.#confirmed.get(inboxId) });
    }
    for (const [inboxId, log] of disagreed.length === 0 ? [] : await this.#readFromStart(disagreed, signal)) {
      logs.set(inboxId, log);
    }
    return logs;
  }

  /** Reads whole logs, each in place of what is known unless it is but a part of that. */
  async #readFromStart(inboxIds: readonly string[], signal: AbortSignal | undefined): Promise<Map<string, ReadLog>> {
    const completeNs = this.time.nowNs() - IDENTITY_LAG_NS;
    const requests = inboxIds.map((inboxId) => ({ inboxId, afterSequenceId: 0n }));
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    const asOfNs = this.#asOf(answers) ?? completeNs;
    const logs = new Map<string, ReadLog>();
    for (const [index, inboxId] of inboxIds.entries()) {
      const log = await this.#inTurn(inboxId, () => this.#replace(inboxId, answers[index] ?? [], asOfNs));
      this.#note(this.#complete, inboxId, log.completeNs);
      logs.set(inboxId, log);
    }
    return logs;
  }

  /** The time that an answer is of, if the node says it; see `NodeTime.credible`. */
  #asOf({ asOfNs }: IdentityAnswer): bigint | undefined {
    if (asOfNs === undefined) return undefined;
    this.time.read(asOfNs);
    return this.time.credible(asOfNs);
  }

  /** Keeps a note about an inbox, in place of the oldest ones when there are too many. */
  #note<T>(notes: Map<string, T>, inboxId: string, note: T): void {
    notes.delete(inboxId);
    notes.set(inboxId, note);
    for (const [oldest] of notes) {
      if (notes.size <= CLIENT_LIMITS.maxIdentityNotes) return;
      notes.delete(oldest);
    }
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
    this.#complete.clear();
    this.#confirmed.clear();
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

  /**
   * A log that was read from its beginning, in place of what is known. A node that shows nothing but a part of what it has
   * shown before is behind: then nothing is known of how complete the log is.
   */
  async #replace(inboxId: string, entries: readonly IdentityLogEntry[], completeNs: bigint): Promise<ReadLog> {
    const known = await this.#load(inboxId);
    const rows = this.#withVerdicts(inboxId, serialized(entries));
    const replayed = await replayLog(inboxId, [], rows, this.#turns);
    const { states } = replayed;
    if (states.length < known.length && states.every((state, index) => isSame(state, known[index]))) {
      return { states: known, completeNs: 0n };
    }
    if (states.length !== known.length || !states.every((state, index) => isSame(state, known[index]))) {
      this.#store.transaction(({ identityUpdates }) => identityUpdates.delete(inboxId));
      this.#bytes = undefined;
      this.#keep(inboxId, replayed);
    }
    return { states, completeNs };
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
      this.#store.transaction((tables) => {
        const { identityUpdates, identityVerdicts } = tables;
        for (const row of updates) identityUpdates.put(row);
        for (const row of judged) identityVerdicts.put(row);
        if (revokesAny(states, accepted.length)) this.#onRevocation?.(tables, inboxId, states);
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

/** INBOX_UNVERIFIABLE with the inboxes that it is about. */
export function inboxUnverifiable(inboxIds: readonly string[]): ClientError {
  const named = inboxIds.map(shortId).join(", ");
  const text = `the node does not verify the smart-contract wallet of inbox ${named}, so nobody could follow it`;
  return clientError("INBOX_UNVERIFIABLE", text, { data: { inboxIds } });
}

function newest(inboxId: string, log: ReadLog | undefined): LatestIdentity {
  const known = log?.states.at(-1);
  if (known !== undefined) return { inboxId, ...known };
  throw clientError("INBOX_UNKNOWN", `inbox ${shortId(inboxId)} is not registered at the node`, {
    data: { inboxId: shortId(inboxId) },
  });
}

function isSame(a: KnownState, b: KnownState | undefined): boolean {
  return a.sequenceId === b?.sequenceId && a.serverTimestampNs === b.serverTimestampNs;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
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
