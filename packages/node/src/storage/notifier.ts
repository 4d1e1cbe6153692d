import { bytesKey } from "@latchkey/mls";

import type { Wake } from "./storage.ts";

/**
 * Wakes the readers of topics within one process, for stores to build `TopicLog.subscribe` on. It carries no data: a woken
 * reader reads the store behind its cursor, so a wake-up too many costs a query and never a duplicate.
 */
export class Notifier {
  /** Most topics have one reader, which is kept without a set around it. */
  readonly #readers = new Map<string, Wake | Set<Wake>>();

  /** Calls `wake` whenever one of the topics has grown, given by their keys, until the returned function is called. */
  subscribe(topics: readonly string[], wake: Wake): () => void {
    for (const topic of topics) {
      const known = this.#readers.get(topic);
      if (known instanceof Set) known.add(wake);
      else this.#readers.set(topic, known === undefined ? wake : new Set([known, wake]));
    }
    return () => {
      for (const topic of topics) this.#remove(topic, wake);
    };
  }

  /** To be called after the transaction that made the topic grow. */
  notify(topic: Uint8Array): void {
    const key = bytesKey(topic);
    const readers = this.#readers.get(key) ?? [];
    for (const wake of typeof readers === "function" ? [readers] : readers) wake(key);
  }

  #remove(topic: string, wake: Wake): void {
    const known = this.#readers.get(topic);
    if (known instanceof Set) known.delete(wake);
    if (known === wake || (known instanceof Set && known.size === 0)) this.#readers.delete(topic);
  }
}
