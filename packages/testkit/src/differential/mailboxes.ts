import { equalBytes, utf8 } from "@latchkey/mls";
import type { SeededRandom } from "../random.ts";
import { Disagreement, type Client } from "./client.ts";

/** Commits after which an application message still has to open: one less than both engines keep epochs. */
const MAX_EPOCHS_LATE = 2n;

interface Letter {
  readonly epoch: bigint;
  readonly from: Client;
  readonly data: Uint8Array;
  readonly message: Uint8Array;
}

/** Application messages on their way: each reaches every member of its epoch once, in any order, up to two epochs late. */
export class Mailboxes {
  readonly #random: SeededRandom;
  readonly #waiting = new Map<Client, Letter[]>();
  #sent = 0;
  #opened = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get opened(): number {
    return this.#opened;
  }

  /** One member sends one to four messages. */
  async send(from: Client, members: readonly Client[]): Promise<void> {
    for (let left = 1 + this.#random.int(4); left > 0; left--) {
      const data = utf8(`message ${this.#sent++} of ${from.name}`);
      const letter = { epoch: from.epoch(), from, data, message: await from.encrypt(data) };
      for (const to of members) {
        if (to !== from) this.#waiting.set(to, [...(this.#waiting.get(to) ?? []), letter]);
      }
    }
  }

  /** Delivers what must not wait longer and some of the rest, out of order. */
  async deliver(): Promise<void> {
    for (const [to, letters] of this.#waiting) {
      const late: Letter[] = [];
      for (const letter of this.#random.shuffle(letters)) {
        const mayWait = to.epoch() - letter.epoch < MAX_EPOCHS_LATE;
        if (mayWait && this.#random.chance(0.3)) late.push(letter);
        else await this.#open(to, letter);
      }
      this.#waiting.set(to, late);
    }
  }

  forget(client: Client): void {
    this.#waiting.delete(client);
  }

  async #open(to: Client, { from, data, message }: Letter): Promise<void> {
    if (!equalBytes(await to.decrypt(message), data)) {
      throw new Disagreement(`${to.engine} read other data than ${from.engine} sent`);
    }
    this.#opened++;
  }
}
