import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { Turn } from "./turn.ts";

/** A clock that jumps over every wait and notes it. */
function jumpingClock(): Clock & { readonly waits: number[] } {
  let nowMs = 0;
  const waits: number[] = [];
  return {
    waits,
    nowNs: () => BigInt(Math.round(nowMs * 1e6)),
    timeout: () => new AbortController().signal,
    async sleep(ms) {
      waits.push(ms);
      nowMs += ms;
    },
  };
}

const { signal } = new AbortController();

test("nobody ahead: no wait at all", () => {
  const clock = jumpingClock();
  const turn = new Turn({ clock, random: () => 0.5, ahead: 0 });
  assert.equal(turn.mustWait, false);
});

test("a log that stands still ends the waiting after one wait, whatever number the service tells", async () => {
  const clock = jumpingClock();
  const turn = new Turn({ clock, random: () => 0.999, ahead: 1_000_000_000 });
  await turn.wait(async () => 7n, signal);
  assert.equal(turn.mustWait, false);
  assert.equal(clock.waits.length, 1);
  assert.ok((clock.waits[0] ?? 0) <= 1.2 * CLIENT_LIMITS.maxTurnMs);
});

test("each epoch that ends is one less ahead, and the waits follow the pace of the log", async () => {
  const clock = jumpingClock();
  const turn = new Turn({ clock, random: () => 0.5, ahead: 10 });
  // One join each half second.
  const openEpoch = async () => clock.nowNs() / 500_000_000n;
  while (turn.mustWait) await turn.wait(openEpoch, signal);
  assert.deepEqual(clock.waits[0], 10 * CLIENT_LIMITS.joinTurnMs);
  const waited = clock.waits.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited >= 4_000 && waited <= 6_000, `${waited} ms for ten joins of 500 ms`);
  assert.ok(clock.waits.length <= 4, `${clock.waits.length} waits`);
});
