import assert from "node:assert/strict";
import { test } from "node:test";
import { asError, Backoff, systemClock } from "./clock.ts";

test("decorrelated jitter stays between the base and three times the delay before, below the cap", () => {
  const lowest = new Backoff(() => 0, 40, 5_000);
  assert.deepEqual([lowest.nextMs(), lowest.nextMs()], [40, 40]);
  const highest = new Backoff(() => 1, 40, 5_000);
  const delays = Array.from({ length: 6 }, () => highest.nextMs());
  assert.deepEqual(delays, [120, 360, 1_080, 3_240, 5_000, 5_000]);
  const middle = new Backoff(() => 0.5, 40, 5_000);
  assert.deepEqual([middle.nextMs(), middle.nextMs()], [80, 140]);
});

test("sleeping ends with the abort of its signal, at once when it is aborted already", async () => {
  const stopping = new AbortController();
  const sleeping = systemClock.sleep(60_000, stopping.signal);
  stopping.abort(new Error("stopped"));
  await assert.rejects(sleeping, { message: "stopped" });
  await assert.rejects(systemClock.sleep(60_000, AbortSignal.abort(new Error("before"))), { message: "before" });
  await systemClock.sleep(1, new AbortController().signal);
});

test("an abort reason that is no error becomes one, with the reason as its cause", () => {
  assert.equal(asError("why").cause, "why");
  const error = new Error("why");
  assert.equal(asError(error), error);
});
