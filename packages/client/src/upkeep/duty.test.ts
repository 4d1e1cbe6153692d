import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { clientError } from "../errors.ts";
import type { GroupCore } from "../group/group-core.ts";
import { scheduleDuty } from "./duty.ts";

/** Schedules a duty whose second look at its delay throws, and returns the messages of the defects that were reported. */
async function defectsOf(failure: Error): Promise<string[]> {
  const told: string[] = [];
  const context = {
    clock: { nowNs: () => 0n, sleep: () => Promise.resolve() },
    onDefect: ({ error }: { readonly error: Error }) => told.push(error.message),
  };
  const core = { context, groupId: new Uint8Array(1), dutyTimes: new Map() } as unknown as GroupCore;
  let looks = 0;
  const delayMs = () => {
    if (++looks > 1) throw failure;
    return 0;
  };
  const run = () => Promise.resolve();
  scheduleDuty(core, { name: "duty", run, delayMs }, new AbortController().signal);
  await setImmediate();
  assert.equal(looks, 2);
  return told;
}

// The test runner fails a test that leaves an unhandled rejection, which would end the application's process.
test("a store that fails when a duty is scheduled again ends no process", async () => {
  assert.deepEqual(await defectsOf(clientError("STORE_FAILED", "the disk is gone")), []);
});

test("a defect when a duty is scheduled again is told to the application", async () => {
  assert.equal((await defectsOf(new TypeError("a mistake"))).length, 1);
});
