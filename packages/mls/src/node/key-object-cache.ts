import type { KeyObject } from "node:crypto";

/** Key objects by raw key, the least recently used dropped first; never more than `capacity`. */
export class KeyObjectCache {
  readonly #capacity: number;
  readonly #entries = new Map<string, KeyObject>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get(key: string, create: () => KeyObject): KeyObject {
    const found = this.#entries.get(key);
    // Map keeps insertion order, so deleting and setting again moves the entry to the young end.
    this.#entries.delete(key);
    const value = found ?? create();
    this.#entries.set(key, value);
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return value;
  }
}
