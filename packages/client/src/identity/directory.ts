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

/**
 * The identity logs this client has seen and verified, on disk and replayed once.
 *
 * An update that does not verify ends the log there: what follows is as unknown as if the node had never served it.
 */
export class IdentityDirectory {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #states = new Map<string, KnownState[]>();

  constructor(store: Store, transport: Transport) {
    this.#store = store;
    this.#transport = transport;
  }

  /**
   * The inbox after exactly that update; undefined when no such update is known, or none that the node had taken by
   * `notAfterNs`. For a commit that is its envelope time: a commit that runs ahead of the identity log is refused by
   * every member alike, also by those that read it when the log has caught up.
   */
  at(inboxId: string, sequenceId: bigint, notAfterNs?: bigint): AssociationState | undefined {
    const known = this.#known(inboxId).find((candidate) => candidate.sequenceId === sequenceId);
    return known === undefined || (notAfterNs !== undefined && known.serverTimestampNs > notAfterNs)
      ? undefined
      : known.state;
  }

  /** Fetches the logs of those inboxes that are not known up to where they are needed; throws as `Transport`. */
  async prefetch(needed: readonly IdentityAt[], signal?: AbortSignal): Promise<void> {
    const missing = needed.filter(({ inboxId, sequenceId }) => this.#lastId(inboxId) < sequenceId);
    await this.#fetch([...new Set(missing.map(({ inboxId }) => inboxId))], signal);
  }

  /** The newest states of inboxes, asked from the node, in order; throws INBOX_UNKNOWN when one does not exist. */
  async latest(inboxIds: readonly string[], signal?: AbortSignal): Promise<(IdentityAt & KnownState)[]> {
    await this.#fetch(inboxIds, signal);
    return inboxIds.map((inboxId) => {
      const known = this.#known(inboxId).at(-1);
      if (known !== undefined) return { inboxId, ...known };
      throw clientError("INBOX_UNKNOWN", `inbox ${shortId(inboxId)} is not registered at the node`, {
        data: { inboxId: shortId(inboxId) },
      });
    });
  }

  #lastId(inboxId: string): bigint {
    return this.#known(inboxId).at(-1)?.sequenceId ?? 0n;
  }

  #known(inboxId: string): KnownState[] {
    let known = this.#states.get(inboxId);
    if (known === undefined) {
      const rows = this.#store.identityUpdates.list(inboxId);
      const entries = rows.map(({ sequenceId, serverTimestampNs, update }) => ({
        sequenceId,
        serverTimestampNs,
        update: fromBinary(IdentityUpdateSchema, update),
      }));
      known = replay(inboxId, [], entries);
      this.#states.set(inboxId, known);
    }
    return known;
  }

  async #fetch(inboxIds: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    if (inboxIds.length === 0) return;
    const requests = inboxIds.map((inboxId) => ({ inboxId, afterSequenceId: this.#lastId(inboxId) }));
    const logs = await this.#transport.getIdentityUpdates(requests, signal);
    for (const [index, inboxId] of inboxIds.entries()) this.#append(inboxId, logs[index] ?? []);
  }

  #append(inboxId: string, entries: readonly IdentityLogEntry[]): void {
    const before = this.#known(inboxId);
    const after = replay(inboxId, before, entries);
    const accepted = after.slice(before.length);
    if (accepted.length === 0) return;
    const updates = new Map(entries.map(({ sequenceId, update }) => [sequenceId, update]));
    this.#store.transaction(({ identityUpdates }) => {
      for (const { sequenceId, serverTimestampNs } of accepted) {
        const update = updates.get(sequenceId);
        if (update === undefined) continue;
        identityUpdates.put({ inboxId, sequenceId, serverTimestampNs, update: toBinary(IdentityUpdateSchema, update) });
      }
    });
    this.#states.set(inboxId, after);
  }
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
