import assert from "node:assert/strict";
import { test } from "node:test";
import { GroupCommit } from "./group-commit.ts";

/** Transactions over a list of names: what a failed one has added is taken back. */
function fakeDatabase() {
  const state = { stored: [] as string[], transactions: 0 };
  function transaction<T>(work: () => T): T {
    const before = [...state.stored];
    try {
      const result = work();
      state.transactions += 1;
      return result;
    } catch (error) {
      state.stored = before;
      throw error;
    }
  }
  const write = (name: string) => () => {
    state.stored.push(name);
    if (name.startsWith("bad")) throw new Error(name);
    return `stored ${name}`;
  };
  return { state, transaction, write };
}

test("writes that arrive together are one transaction, in order, each with its own result", async () => {
  const { state, transaction, write } = fakeDatabase();
  const writes = new GroupCommit({ transaction });
  const results = await Promise.all(["a", "b", "c"].map((name) => writes.run(write(name))));
  assert.deepEqual(results, ["stored a", "stored b", "stored c"]);
  assert.deepEqual(state, { stored: ["a", "b", "c"], transactions: 1 });
  assert.equal(await writes.run(write("d")), "stored d");
  assert.equal(state.transactions, 2);
});

test("a write that fails fails alone: the others are stored, in order", async () => {
  const { state, transaction, write } = fakeDatabase();
  const writes = new GroupCommit({ transaction });
  const results = await Promise.allSettled(["a", "bad b", "c"].map((name) => writes.run(write(name))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(state.stored, ["a", "c"]);
});

test("nobody is answered when the transaction cannot be made durable", async () => {
  const failure = new Error("the disk is full");
  const transaction = <T>(work: () => T): T => {
    work();
    throw failure;
  };
  const writes = new GroupCommit({ transaction });
  const results = await Promise.allSettled([writes.run(() => 1), writes.run(() => 2)]);
  assert.deepEqual(
    results.map((result) => result.status === "rejected" && result.reason === failure),
    [true, true],
  );
});

test("flush writes at once what waits, and nothing twice", async () => {
  const { state, transaction, write } = fakeDatabase();
  const writes = new GroupCommit({ transaction });
  const pending = writes.run(write("a"));
  writes.flush();
  assert.deepEqual(state.stored, ["a"]);
  assert.equal(await pending, "stored a");
  writes.flush();
  assert.deepEqual(state, { stored: ["a"], transactions: 1 });
});
