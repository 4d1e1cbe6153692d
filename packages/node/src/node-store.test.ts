import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { createNode } from "./node.ts";
import { sqliteStore } from "./storage/sqlite/store.ts";
import type { Store, StoreFactory } from "./storage/storage.ts";
import { cleanUp, connect, groupMessage, take, temporaryDirectory, textOf } from "./testing/support.ts";

const GROUP = utf8("group");

/** One store for several nodes, closed when the last of them closes it. */
function sharedStore(dataDir: string): { readonly factory: StoreFactory; readonly isOpen: () => boolean } {
  let shared: Promise<Store> | undefined;
  let users = 0;
  return {
    async factory(context) {
      users++;
      const store = await (shared ??= Promise.resolve(sqliteStore(dataDir)(context)));
      return {
        ...store,
        async close() {
          if (--users === 0) await store.close();
        },
      };
    },
    isOpen: () => users > 0,
  };
}

test("NODE two nodes on one store serve one log, and a message at one wakes the streams of the other", async (t) => {
  const { factory: store, isOpen } = sharedStore(temporaryDirectory(t));
  const nodes = await Promise.all([createNode({ store }), createNode({ store })]);
  for (const node of nodes) cleanUp(t, () => node.close());
  const [here, there] = nodes.map(({ url }) => connect(t, url));
  assert.ok(here !== undefined && there !== undefined);
  const stream = there.mls.subscribeGroupMessages({ filters: [{ groupId: GROUP, idCursor: 0n }] });
  const messages = stream[Symbol.asyncIterator]();
  await here.mls.sendGroupMessages({ messages: [groupMessage(GROUP, "first")] });
  assert.deepEqual((await take(messages, 1)).map(textOf), ["first"]);
  // The stream has read all there is and waits: only the store can wake it.
  await here.mls.sendGroupMessages({ messages: [groupMessage(GROUP, "second")] });
  assert.deepEqual((await take(messages, 1)).map(textOf), ["second"]);
  assert.deepEqual((await there.mls.queryGroupMessages({ groupId: GROUP })).messages.map(textOf), ["first", "second"]);

  for (const node of nodes) await node.close();
  assert.equal(isOpen(), false, "each node closes the store that it opened");
});

test("NODE a store that cannot be opened, or is of no use, keeps the node from starting", async (t) => {
  const failed = new Error("the database server does not answer");
  await assert.rejects(createNode({ store: () => Promise.reject(failed) }), failed);

  let closed = 0;
  const dataDir = temporaryDirectory(t);
  const store: StoreFactory = async (context) => {
    const inner = await sqliteStore(dataDir)(context);
    return {
      ...inner,
      newestStampNs: () => Promise.reject(failed),
      async close() {
        closed++;
        await inner.close();
      },
    };
  };
  await assert.rejects(createNode({ store }), failed);
  assert.equal(closed, 1, "what was opened is closed");
});
