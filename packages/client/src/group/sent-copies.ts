import { decodeExact, encode, equalBytes, MLS_LIMITS, toHex } from "@latchkey/mls";
import type { OutboxRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** A copy of a queued message as the log may show it. */
export interface SentCopy {
  readonly epoch: bigint;
  /** SHA-256 of the MLSMessage. */
  readonly hash: Uint8Array;
}

/** A group as far as its queue is concerned. */
interface QueueingGroup {
  readonly groupId: Uint8Array;
  readonly mls: { readonly epoch: bigint };
  readonly context: { readonly store: Store };
  readonly sentCopies: SentCopies;
}

/** Epoch of a message that has to be encrypted anew, because its state is that of another history. */
export const NO_EPOCH = -1n;

/** Storage form of copies. */
export function encodeCopies(copies: readonly SentCopy[]): Uint8Array {
  return encode(copies, (writer) => {
    writer.vector(copies, (to, { epoch, hash }) => {
      to.u64(epoch);
      to.opaque(hash);
    });
  });
}

function decodeCopies(bytes: Uint8Array): SentCopy[] {
  if (bytes.length === 0) return [];
  return decodeExact(bytes, (reader) => reader.vector((from) => ({ epoch: from.u64(), hash: from.opaque() })));
}

/** Whether messages of an epoch are such that nobody keeps their keys any more at this point of the log. */
export function isOutOfReach(core: QueueingGroup, epoch: bigint): boolean {
  return core.mls.epoch > epoch + BigInt(MLS_LIMITS.maxPastEpochs);
}

/** The copies of a message that members can read at this point of the log. */
export function copiesInReach(core: QueueingGroup, { epoch, messageHash: hash, copies }: OutboxRecord): SentCopy[] {
  const present = epoch === NO_EPOCH ? [] : [{ epoch, hash }];
  return [...decodeCopies(copies), ...present].filter((copy) => !isOutOfReach(core, copy.epoch));
}

/** Which queued message a copy in the log is of: an index over the rows, which have the last word. */
export class SentCopies {
  #queueIds: Map<string, bigint> | undefined;

  /** Has `load` read all rows when asked for the first time. */
  find(hash: Uint8Array, load: () => readonly OutboxRecord[]): bigint | undefined {
    if (this.#queueIds === undefined) {
      this.#queueIds = new Map();
      for (const row of load()) this.add(row);
    }
    return this.#queueIds.get(toHex(hash));
  }

  add({ queueId, messageHash: present, copies }: OutboxRecord): void {
    for (const { hash } of decodeCopies(copies)) this.#queueIds?.set(toHex(hash), queueId);
    this.#queueIds?.set(toHex(present), queueId);
  }

  /** The rows were written by something else. */
  reset(): void {
    this.#queueIds = undefined;
  }
}

/** The queued message of which the log shows a copy that members can read, whatever became of the message here. */
export function queuedCopy(
  core: QueueingGroup,
  hash: Uint8Array,
): (SentCopy & { readonly row: OutboxRecord }) | undefined {
  const { outbox } = core.context.store;
  const queueId = core.sentCopies.find(hash, () => outbox.list(core.groupId));
  const row = queueId === undefined ? undefined : outbox.get(core.groupId, queueId);
  if (row === undefined) return undefined;
  const copy = copiesInReach(core, row).find((candidate) => equalBytes(candidate.hash, hash));
  return copy === undefined ? undefined : { ...copy, row };
}
