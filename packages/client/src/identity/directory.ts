import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { applyIdentityUpdate, IdentityError, type AssociationState } from "@latchkey/xmtp";
import { IdentityUpdateSchema } from "@latchkey/xmtp/proto";
import { clientError, shortId } from "../errors.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { IdentityLogEntry, Transport } from "../transport/transport.ts";

/** An inbox at one position of its identity log. */
export interface IdentityAt {
  readonly inboxId: string;
  readonly sequenceId: bigint;
}

interface KnownState {
  readonly sequenceId: bigint;
  readonly serverTimestampNs: bigint;
  readonly state: AssociationState;
}

/** As `IdentityDirectory` found inboxes: after exactly that update, or undefined when no such update is known. */
export type IdentityLookup = (inboxId: string, sequenceId: bigint) => AssociationState | undefined;

/**
 * The identity logs this client has seen and verified, in memory, and on disk for the next start.
 *
 * An update that does not verify ends the log there: what follows is as unknown as if the node had never served it. All of
 * it can be asked from the node again, so that whoever names inboxes without end makes us forget, and not fill the disk.
 */
export class IdentityDirectory {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #maxBytes: number;
  #logs = new Map<string, readonly KnownState[]>();
  /** Of the updates on disk; undefined until something is asked from the node. */
  #bytes: number | undefined;

  /** `maxBytes` bounds the updates that are kept, but for what the last request brought. */
  constructor(store: Store, transport: Transport, maxBytes: number = CLIENT_LIMITS.maxIdentityBytes) {
    this.#store = store;
    this.#transport = transport;
    this.#maxBytes = maxBytes;
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
    const logs = new Map(needed.map(({ inboxId }) => [inboxId, this.#known(inboxId)]));
    const missing = needed.filter(({ inboxId, sequenceId }) => lastId(logs.get(inboxId) ?? []) < sequenceId);
    const fetched = await this.#fetch([...new Set(missing.map(({ inboxId }) => inboxId))], signal);
    for (const [inboxId, log] of fetched) logs.set(inboxId, log);
    return (inboxId, sequenceId) => {
      const known = logs.get(inboxId)?.find((candidate) => candidate.sequenceId === sequenceId);
      const inTime = known !== undefined && (notAfterNs === undefined || known.serverTimestampNs <= notAfterNs);
      return inTime ? known.state : undefined;
    };
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

  #known(inboxId: string): readonly KnownState[] {
    let known = this.#logs.get(inboxId);
    if (known === undefined) {
      const rows = this.#store.identityUpdates.list(inboxId);
      const entries = rows.map(({ sequenceId, serverTimestampNs, update }) => ({
        sequenceId,
        serverTimestampNs,
        update: fromBinary(IdentityUpdateSchema, update),
      }));
      known = replay(inboxId, [], entries);
      if (known.length > 0) this.#logs.set(inboxId, known);
    }
    return known;
  }

  async #fetch(
    inboxIds: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<Map<string, readonly KnownState[]>> {
    if (inboxIds.length === 0) return new Map();
    this.#forgetIfFull();
    const before = inboxIds.map((inboxId) => this.#known(inboxId));
    const requests = inboxIds.map((inboxId, index) => ({ inboxId, afterSequenceId: lastId(before[index] ?? []) }));
    const answers = await this.#transport.getIdentityUpdates(requests, signal);
    return new Map(
      inboxIds.map((inboxId, index) => [inboxId, this.#append(inboxId, before[index] ?? [], answers[index] ?? [])]),
    );
  }

  #forgetIfFull(): void {
    this.#bytes ??= bytesOf(this.#store.identityUpdates.list());
    if (this.#bytes <= this.#maxBytes) return;
    this.#store.transaction(({ identityUpdates }) => identityUpdates.delete());
    this.#logs = new Map();
    this.#bytes = 0;
  }

  /** A log with what was asked for behind `before`. */
  #append(inboxId: string, before: readonly KnownState[], entries: readonly IdentityLogEntry[]): readonly KnownState[] {
    const known = this.#known(inboxId);
    // Forgotten since the request: this is good for whoever asked, and has no beginning to be kept behind.
    if (known.length < before.length) return replay(inboxId, before, entries);
    const after = replay(inboxId, known, entries);
    const updates = new Map(entries.map(({ sequenceId, update }) => [sequenceId, update]));
    const rows = after.slice(known.length).flatMap(({ sequenceId, serverTimestampNs }) => {
      const update = updates.get(sequenceId);
      if (update === undefined) return [];
      return [{ inboxId, sequenceId, serverTimestampNs, update: toBinary(IdentityUpdateSchema, update) }];
    });
    if (rows.length === 0) return known;
    this.#store.transaction(({ identityUpdates }) => {
      for (const row of rows) identityUpdates.put(row);
    });
    this.#bytes = (this.#bytes ?? 0) + bytesOf(rows);
    this.#logs.set(inboxId, after);
    return after;
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

function bytesOf(rows: readonly { readonly update: Uint8Array }[]): number {
  return rows.reduce((sum, { update }) => sum + update.length, 0);
}

function replay(inboxId: string, before: readonly KnownState[], entries: readonly IdentityLogEntry[]): KnownState[] {
  const known = [...before];
  for (const { sequenceId, serverTimestampNs, update } of entries) {
    const last = known.at(-1);
    if (known.length >= CLIENT_LIMITS.maxIdentityUpdates) break;
    if (sequenceId <= (last?.sequenceId ?? 0n)) continue;
    try {
      const state = applyIdentityUpdate(last?.state, update);
      // A node may serve the good log of another inbox.
      if (state.inboxId !== inboxId) break;
      known.push({ sequenceId, serverTimestampNs, state });
    } catch (error) {
      if (error instanceof IdentityError) break;
      throw error;
    }
  }
  return known;
}
