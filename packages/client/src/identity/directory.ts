import { toBinary } from "@bufbuild/protobuf";
import type { AssociationState, IdentityPoint } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { systemClock } from "../clock.ts";
import { clientError, shortId, type ClientError } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { IdentityAnswer, IdentityLogEntry, Transport } from "../transport/transport.ts";
import { IDENTITY_LAG_NS, IdentityView, lastId, type ReadLog } from "./identity-view.ts";
import { judgeAhead, type JudgeLogs } from "./judge-ahead.ts";
import { bytesOfChange, KeptLogs, type GrowthListener, type LogChange, type RevocationListener } from "./kept-logs.ts";
import { NodeTime } from "./node-time.ts";
import { isRevokedAt } from "./revocations.ts";
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

/** What a node served of a log behind the states that are known. */
interface ReadEntries {
  readonly inboxId: string;
  readonly before: readonly KnownState[];
  readonly entries: readonly IdentityLogEntry[];
}

/** The same, ready to be replayed. */
interface LogToReplay extends Pick<ReadEntries, "inboxId" | "before"> {
  readonly entries: readonly ReplayEntry[];
}

interface DirectoryOptions {
  /** Bounds the updates that are kept on disk, but for what the last request brought. */
  readonly maxBytes?: number;
  /** Bounds what is kept in memory, in members and signatures of states. */
  readonly maxEntries?: number;
  readonly turns?: SignatureTurns;
  /** See `Environment`. */
  readonly judgeLogs?: JudgeLogs | undefined;
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
  readonly #transport: Transport;
  readonly #kept: KeptLogs;
  readonly #turns: SignatureTurns;
  readonly #judgeLogs: JudgeLogs | undefined;
  /** What time it is at the node. */
  readonly time: NodeTime;
  /** By inbox, the time up to which the last reading of its log was complete. */
  readonly #complete = new Map<string, bigint>();
  /** By inbox, what two readings of its log agree on. */
  readonly #confirmed = new Map<string, NonNullable<ReadLog["confirmed"]>>();
  /** By inbox, the end of the last replay that was begun. */
  readonly #replays = new Map<string, Promise<void>>();

  constructor(store: Store, transport: Transport, options: DirectoryOptions = {}) {
    this.#transport = transport;
    const { maxBytes = CLIENT_LIMITS.maxIdentityBytes, maxEntries = CLIENT_LIMITS.maxIdentityEntries } = options;
    this.#kept = new KeptLogs(store, maxBytes, maxEntries);
    this.#turns = options.turns ?? new SignatureTurns(undefined, options.pause, contractVerifier(transport));
    this.#judgeLogs = options.judgeLogs;
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
    const logs = await this.#asRead([...new Set([...needed.map((point) => point.inboxId), ...fresh])]);
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
      const beforeNs = before.get(inboxId) ?? 0n;
      const agreedNs = beforeNs < completeNs ? beforeNs : completeNs;
      const confirmed = { completeNs: agreedNs, lastId: completeNs > 0n ? lastId(states) : 0n };
      this.#note(this.#confirmed, inboxId, confirmed);
      logs.set(inboxId, { ...log, confirmed });
    }
    return new IdentityView(logs);
  }

  /** As the function of that name, as far as the log was read; asks nobody. */
  async isRevokedAt(inboxId: string, installationId: string, timeNs: bigint): Promise<boolean> {
    return isRevokedAt((await this.#known([inboxId])).get(inboxId) ?? [], installationId, timeNs);
  }

  /** As `isRevokedAt`, where the log is in memory. */
  isKnownRevoked(inboxId: string, installationId: string, timeNs: bigint): boolean {
    return isRevokedAt(this.#kept.inMemory(inboxId) ?? [], installationId, timeNs);
  }

  /** Has a listener called with the log that shows a new revocation, in the transaction that keeps the log. */
  onRevocation(listener: RevocationListener): void {
    this.#kept.onRevocation(listener);
  }

  /** Has a listener called with each log that has grown, once it is kept. */
  onGrowth(listener: GrowthListener): void {
    this.#kept.onGrowth(listener);
  }

  /** An inbox after its newest known update, where its log is in memory; asks nobody. */
  newestInMemory(inboxId: string): KnownState | undefined {
    return this.#kept.inMemory(inboxId)?.at(-1);
  }

  /** Inboxes after their newest known updates, without those of which nothing is known; asks nobody. */
  async newestKnown(inboxIds: readonly string[]): Promise<Map<string, LatestIdentity>> {
    const newest = new Map<string, LatestIdentity>();
    for (const [inboxId, states] of await this.#known(inboxIds)) {
      const last = states.at(-1);
      if (last !== undefined) newest.set(inboxId, { inboxId, ...last });
    }
    return newest;
  }

  /** The states of an inbox as far as its log was read; asks nobody. */
  async knownHistory(inboxId: string): Promise<readonly KnownState[]> {
    return (await this.#known([inboxId])).get(inboxId) ?? [];
  }

  /** An inbox after exactly that update, where its log is in memory; asks nobody. */
  known(inboxId: string, sequenceId: bigint): AssociationState | undefined {
    return this.#kept.inMemory(inboxId)?.find((candidate) => candidate.sequenceId === sequenceId)?.state;
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

  /** The states of an inbox after each of its updates, oldest first, asked from the node. Throws as `latest`. */
  async history(inboxId: string, signal?: AbortSignal): Promise<readonly KnownState[]> {
    const states = (await this.#fetch([inboxId], signal)).get(inboxId)?.states ?? [];
    if (endsUnverified(states)) throw inboxUnverifiable([inboxId]);
    return states;
  }

  /** Logs as far as they were read; asks nobody. */
  async #known(inboxIds: readonly string[]): Promise<Map<string, readonly KnownState[]>> {
    const onDisk = inboxIds.filter((inboxId) => this.#kept.inMemory(inboxId) === undefined);
    const inMemory = new Map(inboxIds.map((inboxId) => [inboxId, this.#kept.inMemory(inboxId) ?? []]));
    if (onDisk.length === 0) return inMemory;
    return new Map([...inMemory, ...(await this.#inTurn(onDisk, () => this.#load(onDisk)))]);
  }

  /** Logs as far as they were read, and how complete the last reading of each was. */
  async #asRead(inboxIds: readonly string[]): Promise<Map<string, ReadLog>> {
    const logs = new Map<string, ReadLog>();
    for (const [inboxId, states] of await this.#known(inboxIds)) {
      const [completeNs, confirmed] = [this.#complete.get(inboxId) ?? 0n, this.#confirmed.get(inboxId)];
      logs.set(inboxId, { states, completeNs, confirmed });
    }
    return logs;
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
    const known = await this.#known(inboxIds);
    const requests = inboxIds.map((inboxId) => {
      const last = lastId(known.get(inboxId) ?? []);
      return { inboxId, afterSequenceId: last > 0n ? last - 1n : 0n };
    });
    const completeNs = this.time.nowNs() - IDENTITY_LAG_NS;
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    const asOfNs = this.#asOf(answers) ?? completeNs;
    const read = inboxIds.map((inboxId, index) => {
      return { inboxId, before: known.get(inboxId) ?? [], entries: answers[index] ?? [] };
    });
    const agrees = ({ before, entries }: ReadEntries) =>
      before.length === 0 || entries[0]?.sequenceId === lastId(before);
    const [agreed, disagreed] = [read.filter(agrees), read.filter((log) => !agrees(log)).map((log) => log.inboxId)];
    for (const [inboxId, states] of await this.#append(agreed)) {
      // A new update was stamped before the answer, where the node says nothing else about its time.
      const stampNs = asOfNs === completeNs ? states.at(-1)?.serverTimestampNs : undefined;
      if (stampNs !== undefined && lastId(states) > lastId(known.get(inboxId) ?? [])) this.time.observe(stampNs);
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
    const read = inboxIds.map((inboxId, index) => ({ inboxId, before: [], entries: answers[index] ?? [] }));
    const logs = await this.#replace(read, asOfNs);
    for (const [inboxId, { completeNs }] of logs) this.#note(this.#complete, inboxId, completeNs);
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
  #inTurn<T>(inboxIds: readonly string[], replay: () => Promise<T>): Promise<T> {
    const earlier = inboxIds.flatMap((inboxId) => this.#replays.get(inboxId) ?? []);
    const result = Promise.all(earlier).then(replay);
    const forget = () => {
      for (const inboxId of inboxIds) if (this.#replays.get(inboxId) === ended) this.#replays.delete(inboxId);
    };
    const ended: Promise<void> = result.then(forget, forget);
    for (const inboxId of inboxIds) this.#replays.set(inboxId, ended);
    return result;
  }

  #forgetIfFull(): void {
    if (!this.#kept.forgetIfFull()) return;
    this.#complete.clear();
    this.#confirmed.clear();
  }

  /** Logs as they are on disk; verdicts of a database from before they were kept are added. */
  async #load(inboxIds: readonly string[]): Promise<Map<string, readonly KnownState[]>> {
    const inMemory = new Map(inboxIds.map((inboxId) => [inboxId, this.#kept.inMemory(inboxId)]));
    const onDisk = inboxIds.filter((inboxId) => inMemory.get(inboxId) === undefined);
    const replayed = await this.#replay(
      onDisk.map((inboxId) => ({ inboxId, before: [], entries: this.#kept.rows(inboxId) })),
      (inboxId, replayed) => ({ inboxId, replayed: { ...replayed, accepted: [] }, replaces: false }),
    );
    return new Map(inboxIds.map((id) => [id, inMemory.get(id) ?? replayed.get(id)?.states ?? []]));
  }

  /**
   * Logs that were read from their beginning, in place of what is known. A node that shows nothing but a part of what it
   * has shown before is behind: then nothing is known of how complete the log is.
   */
  #replace(read: readonly ReadEntries[], completeNs: bigint): Promise<Map<string, ReadLog>> {
    const inboxIds = read.map(({ inboxId }) => inboxId);
    return this.#inTurn(inboxIds, async () => {
      const known = await this.#load(inboxIds);
      const logs = new Map<string, ReadLog>();
      await this.#replay(read.map(this.#withVerdicts), (inboxId, replayed) => {
        const { states } = replayed;
        const before = known.get(inboxId) ?? [];
        const isPart = states.every((state, index) => isSame(state, before[index]));
        const isBehind = isPart && states.length < before.length;
        logs.set(inboxId, isBehind ? { states: before, completeNs: 0n } : { states, completeNs });
        return isPart && states.length <= before.length ? undefined : { inboxId, replayed, replaces: true };
      });
      return logs;
    });
  }

  /** Logs with what was asked for behind `before`. */
  #append(read: readonly ReadEntries[]): Promise<Map<string, readonly KnownState[]>> {
    const inboxIds = read.map(({ inboxId }) => inboxId);
    return this.#inTurn(inboxIds, async () => {
      const known = await this.#load(inboxIds);
      // Forgotten since the request: this is good for its caller, and has no beginning to be kept behind.
      const isForgotten = (before: readonly KnownState[], now: readonly KnownState[]) => now.length < before.length;
      const forgotten = new Set<string>();
      const replays = read.map(({ inboxId, before, entries }) => {
        const now = known.get(inboxId) ?? [];
        if (isForgotten(before, now)) forgotten.add(inboxId);
        const base = isForgotten(before, now) ? before : now;
        const news = entries.filter(({ sequenceId }) => sequenceId > lastId(base));
        return this.#withVerdicts({ inboxId, before: base, entries: news });
      });
      const replayed = await this.#replay(replays, (inboxId, replayed) =>
        forgotten.has(inboxId) ? undefined : { inboxId, replayed, replaces: false },
      );
      return new Map([...replayed].map(([inboxId, { states }]) => [inboxId, states]));
    });
  }

  readonly #withVerdicts = ({ inboxId, before, entries }: ReadEntries): LogToReplay => {
    return { inboxId, before, entries: this.#kept.withVerdicts(inboxId, entries.map(serialized)) };
  };

  /** Replays logs and keeps what `changeOf` makes of each: one transaction for an answer of usual size. */
  async #replay(
    logs: readonly LogToReplay[],
    changeOf: (inboxId: string, replayed: ReplayedLog) => LogChange | undefined,
  ): Promise<Map<string, ReplayedLog>> {
    const { generation } = this.#kept;
    const all = new Map<string, ReplayedLog>();
    let changes: LogChange[] = [];
    let bytes = 0;
    const keep = () => {
      if (generation === this.#kept.generation) this.#kept.keep(changes);
      [changes, bytes] = [[], 0];
    };
    for (const { inboxId, before, entries } of await judgeAhead(this.#judgeLogs, logs)) {
      const replayed = await replayLog(inboxId, before, entries, this.#turns);
      all.set(inboxId, replayed);
      const change = changeOf(inboxId, replayed);
      if (change === undefined) continue;
      changes.push(change);
      bytes += bytesOfChange(change);
      if (bytes >= CLIENT_LIMITS.identityBytesAtOnce) keep();
    }
    keep();
    return all;
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
  throw inboxUnknown(inboxId);
}

/** INBOX_UNKNOWN. */
export function inboxUnknown(inboxId: string): ClientError {
  return clientError("INBOX_UNKNOWN", `inbox ${shortId(inboxId)} is not registered at the node`, {
    data: { inboxId: shortId(inboxId) },
  });
}

function isSame(a: KnownState, b: KnownState | undefined): boolean {
  return a.sequenceId === b?.sequenceId && a.serverTimestampNs === b.serverTimestampNs;
}

function serialized({ sequenceId, serverTimestampNs, update }: IdentityLogEntry): Omit<ReplayEntry, "verdict"> {
  return { sequenceId, serverTimestampNs, update: toBinary(IdentityUpdateSchema, update) };
}
