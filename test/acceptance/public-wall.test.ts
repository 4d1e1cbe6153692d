import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import type { Client, Environment, Group } from "@latchkey/client";
import { LatchkeyError } from "@latchkey/mls";
import { callOf, CLIENT_ROWS, CONVERSATIONS_ROWS, GROUP_ROWS, INVITES_ROWS } from "./public-face.ts";
import type { Rows } from "./public-arguments.ts";
import { groupOf, textsOf, World } from "./support.ts";

/** What a part does in the place of its work. */
type Deed = () => unknown;

/** The parts of an environment in which something is planted, and what. */
interface Plant {
  deed: Deed | undefined;
  parts: ReadonlySet<string>;
}

/** A part whose methods do what is planted, also those of the objects that it returns. */
function planted<T extends object>(part: T, name: string, plant: Plant): T {
  return new Proxy(part, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      const isTable = name === "store" && typeof value === "object" && value !== null;
      if (isTable) return planted(value, name, plant);
      if (typeof value !== "function" || key === "close") return value;
      return (...args: unknown[]): unknown => {
        if (plant.deed !== undefined && plant.parts.has(name)) return plant.deed();
        const answer: unknown = Reflect.apply(value, target, args);
        return name === "crypto" && typeof answer === "object" && answer !== null && !(answer instanceof Uint8Array)
          ? planted(answer, name, plant)
          : answer;
      };
    },
  });
}

function withPlants(environment: Environment, plant: Plant): Environment {
  const { transport, store, crypto, slots, clock } = environment;
  return {
    ...environment,
    transport: planted(transport, "transport", plant),
    store: planted(store, "store", plant),
    crypto: planted(crypto, "crypto", plant),
    slots: planted(slots, "slots", plant),
    clock: planted(clock, "clock", plant),
  };
}

/** Every public method and getter but `close`, with arguments that make sense. */
function* calls(client: Client, group: Group): Generator<[string, () => unknown]> {
  const faces: readonly [string, object, Rows][] = [
    ["Client", client, CLIENT_ROWS],
    ["Conversations", client.conversations, CONVERSATIONS_ROWS],
    ["GroupInvites", group.invites, INVITES_ROWS],
    ["Group", group, GROUP_ROWS],
  ];
  for (const [face, target, rows] of faces) {
    for (const [name, row] of Object.entries(rows)) {
      if (name === "close") continue;
      yield [`${face}.${name}`, () => callOf(target, name)(...row.map(({ good }) => good))];
    }
  }
}

async function settled(call: () => unknown): Promise<unknown> {
  const made = call();
  const isStream = typeof made === "object" && made !== null && Symbol.asyncIterator in made;
  return isStream ? (made as AsyncGenerator).next() : made;
}

const throws: Deed = () => {
  throw new TypeError("planted by a test");
};
const rejects: Deed = () => Promise.reject(new RangeError("planted by a test"));
const throwsText: Deed = () => {
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- that is what is tried
  throw "planted by a test";
};

/** What is planted where. A store, a suite or a clock that answers with a promise is none. */
const PLANTS: readonly [string, Deed][] = [
  ["transport", rejects],
  ["transport", throwsText],
  ["slots", rejects],
  ["store", throws],
  ["crypto", throws],
  ["clock", throws],
];

test("DEFECT: whatever a part throws, nothing but an error of the family leaves a public call, and all works on", async (t) => {
  const world = await World.start(t);
  const plant: Plant = { deed: undefined, parts: new Set() };
  const device = await world.device("admin", { wrap: (environment) => withPlants(environment, plant) });
  const member = await world.device("member");
  const group = await device.client.conversations.createGroup([member.client.inboxId], { name: "Reading circle" });
  await member.client.conversations.sync();
  await group.createInvite();
  const codes = new Map<string, number>();
  for (const [part, deed] of PLANTS) {
    for (const [name, call] of calls(device.client, group)) {
      // It may succeed without the part, and the group would be gone.
      if (name === "Group.forget" && part !== "store") continue;
      // Whatever fails, a stream tries again until it is ended.
      if (name.startsWith("Group.stream")) continue;
      Object.assign(plant, { deed, parts: new Set([part]) });
      const error = await settled(call).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      plant.deed = undefined;
      if (error === undefined) continue;
      assert.ok(error instanceof LatchkeyError, `${name}, ${part}: ${inspect(error)}`);
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
  }
  assert.ok((codes.get("DEFECT") ?? 0) > 50, JSON.stringify([...codes]));
  await group.sync();
  // One of the calls has let messages disappear at once.
  await group.updateMessageDisappearingSettings(undefined);
  await group.send("still here");
  const memberGroup = groupOf(member, group.id);
  await memberGroup.sync();
  assert.ok(textsOf(memberGroup).includes("still here"));
});

test("CLIENT_CLOSED: closing ends every call under way, whatever it waits for", async (t) => {
  const world = await World.start(t);
  const never = () => new Promise(() => undefined);
  for (const part of ["transport", "slots"]) {
    const plant: Plant = { deed: undefined, parts: new Set([part]) };
    const device = await world.device(`waits for ${part}`, { wrap: (environment) => withPlants(environment, plant) });
    const group = await device.client.conversations.createGroup([], { name: "Reading circle" });
    const { url } = await group.createInvite();
    plant.deed = never;
    const ends: Promise<[string, unknown]>[] = [];
    for (const [name, call] of calls(device.client, group)) {
      if (name === "Group.forget") continue;
      const end = settled(call).then(
        () => "ended",
        (thrown: unknown) => thrown,
      );
      ends.push(end.then((how) => [name, how]));
    }
    const join = device.client.conversations.previewInvite(url);
    const waiting = join.then(
      () => "ended",
      (thrown: unknown) => thrown,
    );
    ends.push(waiting.then((how) => ["previewInvite of an own invite", how]));
    device.client.close();
    for (const [name, how] of await Promise.all(ends)) {
      if (how === "ended") continue;
      assert.ok(how instanceof LatchkeyError, `${name}: ${String(how)}`);
    }
    assert.equal(((await waiting) as LatchkeyError).code, "CLIENT_CLOSED");
    device.client.close();
    await assert.rejects(group.send("late"), { code: "CLIENT_CLOSED" });
  }
});
