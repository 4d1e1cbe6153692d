import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Environment, Transport } from "@latchkey/client";
import { groupOf, World, type Wrap } from "./support.ts";

type GroupsTable = Environment["store"]["groups"];

function methodsOf(groups: GroupsTable): GroupsTable {
  return {
    get: (groupId) => groups.get(groupId),
    list: (...prefix) => groups.list(...prefix),
    listAfter: (groupId) => groups.listAfter(groupId),
    count: (...prefix) => groups.count(...prefix),
  };
}

/** Counts calls of a transport, which changes as a test goes on, and how many of them run at once. */
function watched() {
  const watch = {
    calls: [] as string[],
    listings: 0,
    running: 0,
    most: 0,
    change: (transport: Transport) => transport,
  };
  const wrap: Wrap = (environment: Environment) => {
    const { transport } = environment;
    const through = new Proxy(transport, {
      get(_, name): unknown {
        const method: unknown = Reflect.get(watch.change(transport), name);
        if (typeof method !== "function") return method;
        return async (...call: unknown[]): Promise<unknown> => {
          watch.calls.push(String(name));
          watch.most = Math.max(watch.most, ++watch.running);
          try {
            return (await Reflect.apply(method, transport, call)) as unknown;
          } finally {
            watch.running--;
          }
        };
      },
    });
    const { groups } = environment.store;
    const list: typeof groups.list = (...prefix) => {
      watch.listings++;
      return groups.list(...prefix);
    };
    return {
      ...environment,
      transport: through,
      store: { ...environment.store, groups: { ...methodsOf(groups), list } },
    };
  };
  return { watch, wrap };
}

async function inGroups(t: TestContext, count: number) {
  const world = await World.start(t);
  const { watch, wrap } = watched();
  const [alice, bob] = [await world.device("alice"), await world.device("bob", { wrap })];
  const ids: string[] = [];
  const add = async () => {
    ids.push((await alice.client.conversations.createGroup([bob.client.inboxId], { name: "group" })).id);
  };
  while (ids.length < count) await add();
  await bob.client.conversations.sync();
  const sync = async () => {
    [watch.calls, watch.listings] = [[], 0];
    watch.most = 0;
    await bob.client.conversations.sync();
    return watch.calls;
  };
  await sync();
  return { alice, bob, ids, add, sync, watch };
}

test("SPD-02 a sync finds the groups with news by one question, and reads those alone", async (t) => {
  const { alice, bob, ids, add, sync, watch } = await inGroups(t, 3);
  const quiet = await sync();
  const { listings } = watch;
  assert.ok(listings > 0);
  assert.equal(quiet.filter((name) => name === "queryGroupMessages").length, 0);
  assert.equal(quiet.filter((name) => name === "newestGroupMessages").length, 1);
  for (let more = 0; more < 4; more++) await add();
  await sync();
  assert.deepEqual(await sync(), quiet, "as many calls in seven groups as in three");
  assert.equal(watch.listings, listings, "the table of groups is read as often");

  const [first, , third] = ids.map((id) => groupOf(alice, id));
  await first?.send("news");
  await third?.updateName("renamed");
  const calls = await sync();
  assert.equal(calls.filter((name) => name === "queryGroupMessages").length, 2);
  assert.equal(
    groupOf(bob, ids[0] ?? "")
      .messages()
      .at(-1)?.text,
    "news",
  );
  assert.equal(groupOf(bob, ids[2] ?? "").name, "renamed");
});

test("SPD-02 a message that has not left is sent although nothing is new", async (t) => {
  const { alice, bob, ids, sync, watch } = await inGroups(t, 2);
  watch.change = (transport) => ({
    ...transport,
    sendGroupMessages: () => Promise.reject(new TypeError("no network")),
  });
  await groupOf(bob, ids[1] ?? "")
    .send("late")
    .catch(() => undefined);
  watch.change = (transport) => transport;
  await sync();
  const group = groupOf(alice, ids[1] ?? "");
  await group.sync();
  assert.equal(group.messages().at(-1)?.text, "late");
});

test("SPD-02 where the node does not answer the question, every log is read, some at a time", async (t) => {
  const { alice, bob, ids, sync, watch } = await inGroups(t, 12);
  for (const id of ids) await groupOf(alice, id).send("news");
  const ways: ((transport: Transport) => Transport)[] = [
    (transport) => ({ ...transport, newestGroupMessages: undefined }),
    (transport) => ({ ...transport, newestGroupMessages: () => Promise.reject(new TypeError("no network")) }),
  ];
  for (const [round, change] of ways.entries()) {
    watch.change = change;
    const calls = await sync();
    assert.equal(calls.filter((name) => name === "queryGroupMessages").length, ids.length);
    assert.ok(watch.most > 1 && watch.most <= 8, `${watch.most} calls at once`);
    for (const id of ids) {
      assert.equal(groupOf(bob, id).messages().at(-1)?.text, round === 0 ? "news" : "more");
      if (round === 0) await groupOf(alice, id).send("more");
    }
  }
});

test("SPD-02 an answer that is false hides nothing once it is true again", async (t) => {
  const { alice, bob, ids, sync, watch } = await inGroups(t, 2);
  const id = ids[0] ?? "";
  let said: bigint[] | undefined;
  watch.change = (transport) => ({
    ...transport,
    newestGroupMessages: async (groupIds, signal) =>
      (said ??= (await transport.newestGroupMessages?.(groupIds, signal))?.map((newest) => newest ?? 0n) ?? []),
  });
  await sync();
  await groupOf(alice, id).send("hidden for a while");
  await sync();
  assert.notEqual(groupOf(bob, id).messages().at(-1)?.text, "hidden for a while");
  watch.change = (transport) => transport;
  await sync();
  assert.equal(groupOf(bob, id).messages().at(-1)?.text, "hidden for a while");
});
