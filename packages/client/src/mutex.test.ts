import assert from "node:assert/strict";
import { test } from "node:test";
import { Mutex } from "./mutex.ts";

test("a mutex runs tasks one after the other, in order, also behind one that fails", async () => {
  const mutex = new Mutex();
  const steps: string[] = [];
  const task = (name: string, fails = false) =>
    mutex.run(async () => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const results = await Promise.allSettled([task("a"), task("b", true), task("c")]);
  assert.deepEqual(steps, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
});

test("TRU-17 whoever is aborted while it waits for its turn is told at once, and its task never begins", async () => {
  const mutex = new Mutex();
  const steps: string[] = [];
  const first = Promise.withResolvers<undefined>();
  const running = mutex.run(() => first.promise);
  const stop = new AbortController();
  const waiting = mutex.run(async () => steps.push("aborted"), stop.signal);
  const last = mutex.run(async () => steps.push("last"));
  stop.abort(new Error("no longer wanted"));
  await assert.rejects(waiting, /no longer wanted/);
  assert.deepEqual(steps, []);
  first.resolve(undefined);
  await Promise.all([running, last]);
  assert.deepEqual(steps, ["last"]);
});
