import { bytesKey } from "@latchkey/mls";

/**
 * Wakes the readers of topics that have grown. It carries no data: a woken reader reads the store behind its cursor,
 * so a wake-up too many costs a query and never a duplicate.
 */
export class Notifier {
  readonly #readers = new Map<string, Set<(topic: Uint8Array) => void>>();

  /** Calls `wake` whenever one of the topics has grown, until the returned function is called. */
  subscribe(topics: readonly Uint8Array[], wake: (topic: Uint8Array) => void): () => void {
    const keys = topics.map(bytesKey);
    for (const key of keys) {
      const readers = this.#readers.get(key) ?? new Set();
      readers.add(wake);
      this.#readers.set(key, readers);
    }
    return () => {
      for (const key of keys) {
        const readers = this.#readers.get(key);
        readers?.delete(wake);
        if (readers?.size === 0) this.#readers.delete(key);
      }
    };
  }

  /** To be called after the transaction that made the topic grow. */
  notify(topic: Uint8Array): void {
    for (const wake of this.#readers.get(bytesKey(topic)) ?? []) wake(topic);
  }

  /** Topics somebody reads at present. */
  get size(): number {
    return this.#readers.size;
  }
}
