import { fromHex, LatchkeyError, peekMlsMessage } from "@latchkey/mls";
import type { SeededRandom } from "../random.ts";
import type { Faults } from "./faults.ts";
import type { Veil, World } from "./world.ts";

/** A copy with one bit changed near its end, where tags, signatures and ciphertext are: its header stays as it is. */
function damaged(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = bytes.slice();
  const at = copy.length - 1 - random.int(Math.min(64, copy.length));
  copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
  return copy;
}

/** An operator of the node that does what it can: repeats, invents, gets in first, keeps things back. */
export class HostileNode {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: SeededRandom;

  constructor(world: World, faults: Faults, random: SeededRandom) {
    this.#world = world;
    this.#faults = faults;
    this.#random = random;
    world.beforePublish = (data) => this.#overtake(data);
  }

  /** One act against a group. */
  async act(groupId: string): Promise<void> {
    if (!this.#faults.has("hostile-node")) return;
    const random = this.#random;
    const topic = fromHex(groupId);
    const log = await this.#world.log(topic);
    const known = log.length === 0 ? undefined : random.pick(log).data;
    const choice = random.int(4);
    if (choice === 0) {
      this.#withhold(log.at(-1)?.id ?? 0n);
      return;
    }
    if (choice === 1 || known === undefined) {
      this.#faults.count("junk in the log");
      return this.#world.inject(
        topic,
        Uint8Array.from({ length: 1 + random.int(200) }, () => random.int(256)),
      );
    }
    this.#faults.count(choice === 2 ? "messages repeated" : "messages damaged");
    return this.#world.inject(topic, choice === 2 ? known : damaged(known, random));
  }

  /** Puts a damaged copy in front of a message that is about to be taken, most often of a join. */
  async #overtake(data: Uint8Array): Promise<void> {
    if (!this.#faults.has("hostile-node")) return;
    try {
      const { groupId, sender } = peekMlsMessage(data);
      const isJoin = sender?.kind === "new_member_commit";
      if (groupId === undefined || !this.#random.chance(isJoin ? 0.3 : 0.04)) return;
      this.#faults.count(isJoin ? "joins overtaken" : "messages overtaken");
      this.#world.scheduler.note("the node puts a damaged copy in front of a message");
      await this.#world.inject(groupId, damaged(data, this.#random));
    } catch (error) {
      if (!(error instanceof LatchkeyError)) throw error;
    }
  }

  /** Shows one half of the readers nothing new for a while. */
  #withhold(lastId: bigint): void {
    const { scheduler, veils } = this.#world;
    const half = new Set<string>();
    const seen = new Set<string>();
    const veil: Veil = (reader, { id }) => {
      if (!seen.has(reader) && this.#random.chance(0.5)) half.add(reader);
      seen.add(reader);
      return id > lastId && half.has(reader);
    };
    this.#faults.count("logs withheld");
    scheduler.note(`the node withholds what follows ${lastId}`);
    veils.add(veil);
    scheduler.after(1_000 + this.#random.int(30_000), "the node shows it again", () => void veils.delete(veil));
  }
}

/** Parts the world for good: what one side publishes the other never sees. */
export function splitView(world: World, faults: Faults, random: SeededRandom): void {
  const sides = new Map<string, boolean>();
  const sideOf = (name: string): boolean => {
    const side = sides.get(name) ?? random.chance(0.5);
    sides.set(name, side);
    return side;
  };
  faults.count("views split");
  world.scheduler.note("the node shows two histories from here on");
  const before = new Set(world.publishers.keys());
  world.veils.add((reader, { data }) => {
    const key = Buffer.from(data).toString("hex");
    const publisher = world.publishers.get(key);
    return publisher !== undefined && !before.has(key) && sideOf(publisher) !== sideOf(reader);
  });
}
