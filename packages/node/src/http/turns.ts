/** Requests that are begun in one turn of the event loop: each takes about a third of a millisecond before it first waits. */
const PER_TURN = 16;

/** Requests that are looked at in one turn, those included that were taken back meanwhile, which costs next to nothing. */
const LOOKS_PER_TURN = 1_024;

/** Begins a request; false when there is nothing to begin any more. */
export type Begin = () => boolean;

/**
 * Begins requests in turns of the event loop, a few in each, and lets addresses take theirs one after the other. So nobody's
 * request waits for more than one of each other address, however many of them arrive at once.
 */
export class Turns {
  /** Waiting requests of each address, in the order of the addresses' turns. */
  readonly #waiting = new Map<string, Begin[]>();
  readonly #perAddress: number;
  readonly #perTurn: number;
  #isDue = false;

  /**
   * @param perAddress most requests of one address that wait
   * @param perTurn requests that are begun in one turn of the event loop
   */
  constructor(perAddress: number, perTurn = PER_TURN) {
    this.#perAddress = perAddress;
    this.#perTurn = perTurn;
  }

  /** Calls `begin` later in this turn, or in one of the next; false when too many of the address wait already. */
  take(address: string, begin: Begin): boolean {
    const queue = this.#waiting.get(address);
    if (queue === undefined) this.#waiting.set(address, [begin]);
    else if (queue.length < this.#perAddress) queue.push(begin);
    else return false;
    this.#schedule();
    return true;
  }

  #schedule(): void {
    if (this.#isDue || this.#waiting.size === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      let begun = 0;
      for (let looks = 0; looks < LOOKS_PER_TURN && begun < this.#perTurn && this.#waiting.size > 0; looks++) {
        if (this.#next()) begun++;
      }
      this.#schedule();
    });
  }

  #next(): boolean {
    const turn = this.#waiting.entries().next();
    if (turn.done === true) return false;
    const [address, queue] = turn.value;
    const begin = queue.shift();
    this.#waiting.delete(address);
    if (queue.length > 0) this.#waiting.set(address, queue);
    return begin?.() ?? false;
  }
}
