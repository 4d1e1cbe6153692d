/** Imported keys by their raw bytes as a string, the least recently used dropped first; never more than `capacity`. */
export class KeyCache<Key> {
  readonly #capacity: number;
  readonly #entries = new Map<string, Key>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The key of that name; made by `create` when it is not there, and not remembered when that throws. */
  get(name: string, create: () => Key): Key {
    const found = this.#entries.get(name);
    // Map keeps insertion order, so deleting and setting again moves the entry to the young end.
    this.#entries.delete(name);
    const value = found ?? create();
    this.#entries.set(name, value);
    if (this.#entries.size > this.#capacity) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return value;
  }
}
