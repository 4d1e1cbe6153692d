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
