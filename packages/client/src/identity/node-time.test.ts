import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { MAX_CLOCK_ERROR_NS, NodeTime } from "./node-time.ts";

const SECOND_NS = 1_000_000_000n;
const NOW_NS = 1_700_000_000n * SECOND_NS;

/** Clocks of this machine that a test moves, and the time of a node that it stamps by. */
function movable(wallNs: bigint) {
  const at = { wallNs, monotonicNs: 5n };
  const time = new NodeTime({ ...systemClock, nowNs: () => at.wallNs, monotonicNs: () => at.monotonicNs });
  return { at, time };
}

test("IDN-02 the node's time is that of its stamps and what has passed here since, whatever this machine's clock says", () => {
  const { at, time } = movable(0n);
  time.observe(NOW_NS);
  at.monotonicNs += 30n * SECOND_NS;
  assert.equal(time.nowNs(), NOW_NS + 30n * SECOND_NS);
  at.wallNs = NOW_NS + MAX_CLOCK_ERROR_NS + 20n * SECOND_NS;
  assert.equal(time.nowNs(), NOW_NS + 30n * SECOND_NS);
});

test("IDN-02 one false stamp moves nothing, seen once or often", () => {
  const { at, time } = movable(0n);
  time.observe(NOW_NS);
  for (let times = 0; times < 3; times++) time.observe(2n ** 63n - 1n);
  assert.equal(time.nowNs(), NOW_NS);
  at.monotonicNs += 60n * SECOND_NS;
  time.observe(NOW_NS + 61n * SECOND_NS);
  assert.equal(time.nowNs(), NOW_NS + 61n * SECOND_NS);
});

test("IDN-02 a node that says no time at all is waited for by this machine's clock, less the error that it may have", () => {
  const { time } = movable(NOW_NS);
  assert.equal(time.nowNs(), NOW_NS - MAX_CLOCK_ERROR_NS);
});

test("CLOCK_WRONG is judged by what the node's clock shows: an old stamp alone does not put this clock ahead", () => {
  const { time } = movable(NOW_NS);
  time.observe(NOW_NS - 86_400n * SECOND_NS);
  assert.equal(time.clockErrorNs(), undefined);
  assert.equal(time.bestNs(), NOW_NS);
  time.read(NOW_NS - 600n * SECOND_NS);
  assert.equal(time.clockErrorNs(), 600n * SECOND_NS);
  assert.equal(time.bestNs(), NOW_NS - 600n * SECOND_NS);
});

test("one false reading of three moves nothing, and no number of them moves the time by more than an hour", () => {
  const { time } = movable(NOW_NS);
  time.read(NOW_NS);
  time.read(2n ** 63n - 1n);
  time.read(NOW_NS);
  assert.equal(time.bestNs(), NOW_NS);
  for (let times = 0; times < 3; times++) time.read(2n ** 63n - 1n);
  assert.equal(time.bestNs(), NOW_NS + MAX_CLOCK_ERROR_NS);
  for (let times = 0; times < 3; times++) time.read(NOW_NS);
  assert.equal(time.bestNs(), NOW_NS);
});

test("IDN-02 the node is past a stamp by as long as that is known here", () => {
  const { at, time } = movable(0n);
  assert.equal(time.sinceSeenNs(NOW_NS), 0n);
  time.observe(NOW_NS);
  at.monotonicNs += 30n * SECOND_NS;
  time.observe(NOW_NS);
  assert.equal(time.sinceSeenNs(NOW_NS), 30n * SECOND_NS);
  for (let later = 1n; later <= BigInt(CLIENT_LIMITS.maxNodeStamps); later++) time.observe(NOW_NS + later);
  assert.equal(time.sinceSeenNs(NOW_NS), 0n, "the oldest is forgotten");
});

test("TRU-05 one false time that an answer is said to be of counts for no later one", () => {
  const { at, time } = movable(NOW_NS);
  const lie = 2n ** 62n;
  time.read(lie);
  assert.equal(time.credible(lie), NOW_NS + MAX_CLOCK_ERROR_NS, "the first thing that the node says");
  for (let answers = 0; answers < 3; answers++) {
    at.monotonicNs += SECOND_NS;
    at.wallNs += SECOND_NS;
    time.read(at.wallNs);
    assert.equal(time.credible(at.wallNs), at.wallNs);
  }
  time.read(lie + 1n);
  assert.ok(time.credible(lie + 1n) <= NOW_NS + MAX_CLOCK_ERROR_NS + 3n * SECOND_NS);
});

test("TRU-05 a false time between honest ones is brought down to what they tell", () => {
  const { at, time } = movable(NOW_NS);
  for (let answers = 0; answers < 3; answers++) {
    at.monotonicNs += SECOND_NS;
    at.wallNs += SECOND_NS;
    time.read(at.wallNs);
  }
  time.read(2n ** 62n);
  assert.equal(time.credible(2n ** 62n), at.wallNs);
});
