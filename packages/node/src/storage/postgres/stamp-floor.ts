/** The newest stamp that this process has given or heard of: its next stamps are later, also when the server's clock is set back. */
export class StampFloor {
  #ns = 0n;

  get ns(): bigint {
    return this.#ns;
  }

  raise(stampNs: bigint): void {
    if (stampNs > this.#ns) this.#ns = stampNs;
  }
}
