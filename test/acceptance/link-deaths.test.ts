import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Client, codeOf, LatchkeyError, type Environment, type Store } from "@latchkey/client";
import { link } from "./linking.ts";
import { movableWorld } from "./movable-world.ts";
import { TestClock, type Device, type World, type Wrap } from "./support.ts";

/** A program that dies at one of its transactions, before or behind it, and does nothing from then on. */
class Mortal {
  /** Counts from when the link begins. */
  isArmed = false;
  transactions = 0;
  isDead = false;
  readonly #at: number;
  readonly #phase: "before" | "after";

  constructor(at: number, phase: "before" | "after") {
    this.#at = at;
    this.#phase = phase;
  }

  readonly wrap: Wrap = (environment) => ({
    ...environment,
    store: this.#mortalStore(environment.store),
    transport: this.#mortal(environment.transport),
    slots: this.#mortal(environment.slots),
  });

  #requireLife(): void {
    if (this.isDead) throw new Error("the program is dead");
  }

  #mortal<T extends object>(part: T): T {
    const get = (target: T, name: string | symbol): unknown => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || name === "close")
        return typeof value === "function" ? value.bind(target) : value;
      return (...args: unknown[]): unknown => {
        this.#requireLife();
        return Reflect.apply(value as (...given: unknown[]) => unknown, target, args);
      };
    };
    return new Proxy(part, { get });
  }

  #mortalStore(store: Store): Store {
    const transaction: Store["transaction"] = (write) => {
      this.#requireLife();
      const dies = this.isArmed && ++this.transactions === this.#at;
      if (dies && this.#phase === "before") this.#die();
      const result = store.transaction(write);
      if (dies) this.#die();
      return result;
    };
    return { ...store, transaction, close: () => store.close() };
  }

  #die(): never {
    this.isDead = true;
    throw new Error("the program dies");
  }
}

/** What both devices are after their next starts. */
async function settle(t: TestContext, world: World, old: Device, phonePath: string, pass: (seconds: number) => void) {
  await world.restart(old);
  assert.deepEqual(old.environment.store.deviceLinks.list(), [], "the old device has settled it");
  const open = async (): Promise<Client | undefined> => {
    const environment: Environment = world.environment(phonePath, new TestClock());
    try {
      const client = await Client.create(undefined, environment);
      t.after(() => client.close());
      return client;
    } catch (error) {
      assert.ok(["SIGNER_MISSING", "LINK_OPEN"].includes(codeOf(error) ?? ""), String(error));
      return undefined;
    }
  };
  const phone = await open();
  // Both have an answer once the time is over that they agreed on.
  pass(181);
  return phone ?? (await open());
}

async function dieAt(
  t: TestContext,
  who: "old" | "new",
  at: number,
  phase: "before" | "after",
): Promise<{ readonly died: boolean; readonly linked: boolean }> {
  const { world, pass } = await movableWorld(t);
  const mortal = new Mortal(at, phase);
  const old = await world.device("old");
  if (who === "old") await world.restart(old, mortal.wrap);
  mortal.isArmed = true;
  const stop = new AbortController();
  await link(t, world, old, "phone", {
    shows: "old",
    ...(who === "new"
      ? { wrap: mortal.wrap, onNewEnd: () => pass(121) }
      : { onOldEnd: () => stop.abort(new LatchkeyError("CLIENT_CLOSED", "the person gives up")) }),
    new: { signal: stop.signal },
  }).then(({ client }) => client?.close());
  const phone = await settle(t, world, old, world.path("phone.db"), pass);
  const { installations } = await old.client.inboxState();
  const ids = installations.map(({ id }) => id);
  const place = `${who} ${phase} ${at}`;
  // The inbox has the new device exactly when that opens: finished or undone, on both sides alike.
  const expected = [old.client.installationId, ...(phone === undefined ? [] : [phone.installationId])];
  assert.deepEqual(ids.toSorted(), expected.toSorted(), place);
  if (phone !== undefined) assert.equal(phone.inboxId, old.client.inboxId);
  return { died: mortal.isDead, linked: phone !== undefined };
}

/** Dies at every write in turn, once it was done and, where there are few, before as well; returns what came of it. */
async function dieEverywhere(t: TestContext, who: "old" | "new") {
  const outcomes = new Set<boolean>();
  for (let at = 1; ; at++) {
    const alternating = at % 2 === 0 ? "before" : "after";
    for (const phase of who === "old" ? (["before", "after"] as const) : ([alternating] as const)) {
      const { died, linked } = await dieAt(t, who, at, phase);
      if (!died) return { deaths: at - 1, outcomes };
      outcomes.add(linked);
    }
  }
}

for (const who of ["old", "new"] as const) {
  test(`DEV-08 the ${who} device dies at any write of a link: both starts finish it, or both undo it`, async (t) => {
    const { deaths, outcomes } = await dieEverywhere(t, who);
    assert.ok(deaths >= 3, `${deaths} writes`);
    assert.deepEqual(outcomes, new Set([true, false]));
  });
}
