/** How a waiting room is set up. */
export interface WaitingRoomOptions {
  /** Milliseconds after which half of those who came and were not heard of again are forgotten. */
  readonly halfLifeMs: number;
  /** Rooms remembered; the least recently used is forgotten first, which only ever makes it look emptier. */
  readonly maxKeys: number;
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicMs: () => number;
}

/**
 * Estimates per key how many have come lately and are not done: an arrival counts one, a departure takes one off, and
 * what is left fades, because nobody says that they gave up. Knows numbers only, never who it was.
 */
export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  /** In order of last use, because a Map keeps the order of insertion. */
  readonly #rooms = new Map<string, { waiting: number; atMs: number }>();

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  /** How many wait, in whole numbers. */
  waiting(key: string): number {
    return Math.round(this.#fading(key, this.#options.monotonicMs()));
  }

  arrive(key: string): void {
    this.#change(key, 1);
  }

  depart(key: string): void {
    if (this.#rooms.has(key)) this.#change(key, -1);
  }

  #fading(key: string, nowMs: number): number {
    const room = this.#rooms.get(key);
    return room === undefined ? 0 : room.waiting * 0.5 ** ((nowMs - room.atMs) / this.#options.halfLifeMs);
  }

  #change(key: string, by: 1 | -1): void {
    const atMs = this.#options.monotonicMs();
    const waiting = Math.max(0, this.#fading(key, atMs) + by);
    this.#rooms.delete(key);
    this.#rooms.set(key, { waiting, atMs });
    if (this.#rooms.size <= this.#options.maxKeys) return;
    const oldest = this.#rooms.keys().next();
    if (oldest.done !== true) this.#rooms.delete(oldest.value);
  }
}
