import type { Envelope, Page } from "@latchkey/client";
import type { SeededRandom } from "../random.ts";
import type { Device } from "./device.ts";
import type { Faults } from "./faults.ts";
import type { IdentityAnswer, Lens, World } from "./world.ts";

/** The largest number that a database holds. */
const LARGEST = 2n ** 63n - 1n;

/** Wrong answers of one world: more of them are a node that shows another history. */
const MAX_LIES = 3;

/** What the node may say once that is not so. */
type Lie =
  | {
      readonly name: string;
      readonly parts: boolean;
      readonly ofIdentity: (answer: IdentityAnswer) => IdentityAnswer | undefined;
    }
  | {
      readonly name: string;
      readonly parts: boolean;
      readonly ofPage: (page: Page<Envelope>) => Page<Envelope> | undefined;
    };

function changedLast<T>(items: readonly T[], change: (item: T) => T): T[] {
  return items.map((item, index) => (index === items.length - 1 ? change(item) : item));
}

/** Changes the logs of an answer that have updates; undefined where there is none. */
function logsChanged(answer: IdentityAnswer, change: (log: IdentityAnswer[number]) => IdentityAnswer[number]) {
  if (answer.every((log) => log.length === 0)) return undefined;
  return Object.assign(answer.map(change), { asOfNs: answer.asOfNs });
}

/** An operator that gives a wrong answer, once, to one reader. */
export class Liar {
  readonly #world: World;
  readonly #faults: Faults;
  readonly #random: SeededRandom;
  #told = 0;

  constructor(world: World, faults: Faults, random: SeededRandom) {
    this.#world = world;
    this.#faults = faults;
    this.#random = random;
  }

  #lies(): readonly Lie[] {
    const random = this.#random;
    return [
      { name: "an inbox without log", parts: false, ofIdentity: (answer) => logsChanged(answer, () => []) },
      {
        name: "an identity log without its end",
        parts: false,
        ofIdentity: (answer) => logsChanged(answer, (log) => log.slice(0, -1)),
      },
      {
        name: "a false time of an update",
        parts: true,
        ofIdentity: (answer) =>
          logsChanged(answer, (log) => changedLast(log, (entry) => ({ ...entry, serverTimestampNs: LARGEST }))),
      },
      {
        name: "a false id of an update",
        parts: true,
        ofIdentity: (answer) =>
          logsChanged(answer, (log) => changedLast(log, (entry) => ({ ...entry, sequenceId: LARGEST }))),
      },
      { name: "an empty log", parts: false, ofPage: () => ({ items: [], complete: true }) },
      {
        name: "an envelope withheld",
        parts: true,
        ofPage: ({ items, complete }) => {
          const left = random.int(items.length - 1);
          return items.length < 2 ? undefined : { items: items.filter((_, index) => index !== left), complete };
        },
      },
      {
        name: "a false id of an envelope",
        parts: true,
        ofPage: ({ items, complete }) =>
          items.length === 0
            ? undefined
            : { items: changedLast(items, (item) => ({ ...item, id: LARGEST })), complete },
      },
      {
        name: "a false time of an envelope",
        parts: true,
        ofPage: ({ items, complete }) =>
          items.length === 0
            ? undefined
            : { items: changedLast(items, (item) => ({ ...item, createdNs: LARGEST })), complete },
      },
    ];
  }

  /** Prepares a lie to one of the devices, told with its next answer of that kind. */
  act(devices: readonly Device[]): void {
    if (!this.#faults.has("one-lie") || this.#told >= MAX_LIES || devices.length === 0) return;
    this.#told++;
    const device = this.#random.pick(devices);
    const lie = this.#random.pick(this.#lies());
    if ("ofPage" in lie) this.#once(this.#world.pageLenses, device, lie, lie.ofPage);
    else this.#once(this.#world.identityLenses, device, lie, lie.ofIdentity);
  }

  #once<T>(lenses: Set<Lens<T>>, device: Device, { name, parts }: Lie, change: (answer: T) => T | undefined): void {
    const lens: Lens<T> = (reader, answer) => {
      if (reader !== device.name || !this.#faults.has("one-lie")) return answer;
      const changed = change(answer);
      if (changed === undefined) return answer;
      lenses.delete(lens);
      this.#faults.count("lies");
      this.#world.scheduler.note(`the node lies to ${reader}: ${name}`);
      if (parts) device.harm ??= "misled";
      return changed;
    };
    lenses.add(lens);
  }
}
