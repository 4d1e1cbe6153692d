import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../clock.ts";
import { CLIENT_LIMITS } from "../limits.ts";
import { Turn } from "./turn.ts";

/** A clock that jumps over every wait. */
function jumpingClock(): Clock & { readonly nowMs: () => number } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    nowNs: () => BigInt(Math.round(nowMs * 1e6)),
    timeout: () => new AbortController().signal,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
}

const { signal } = new AbortController();

/** How long somebody waits who has so many ahead, in a log that has reached `epochAt(ms)`. */
async function waitOf(ahead: number, epochAt: (ms: number) => number, workMs = 0, random = 0.5): Promise<number> {
  const clock = jumpingClock();
  const turn = new Turn({ clock, random: () => random, ahead });
  await turn.wait(() => Promise.resolve(BigInt(Math.floor(epochAt(clock.nowMs())))), workMs, signal);
  assert.equal(turn.mustWait, false);
  return clock.nowMs();
}

test("nobody ahead: no wait at all", async () => {
  assert.equal(new Turn({ clock: jumpingClock(), random: () => 0, ahead: 0 }).mustWait, false);
  assert.equal(await waitOf(0, () => 0), 0);
});

test("each epoch that ends is one less ahead: those who came first go first, right when it is their turn", async () => {
  for (const [joinMs, workMs] of [
    [100, 0],
    [500, 0],
    [3_000, 2_500],
  ] as const) {
    let before = 0;
    for (const ahead of [1, 2, 5, 20]) {
      const waited = await waitOf(ahead, (ms) => ms / joinMs, workMs);
      assert.ok(waited > before && waited >= ahead * joinMs, `${waited} ms with ${ahead} ahead`);
      assert.ok(waited <= (ahead + 1) * joinMs + CLIENT_LIMITS.turnPollMs * 2, `${waited} ms with ${ahead} ahead`);
      before = waited;
    }
  }
});

test("one who is gone costs everybody the patience once", async () => {
  const goneUntil = CLIENT_LIMITS.turnPatienceMs + 400;
  const joins = (ms: number) => (ms < goneUntil ? 0 : 1 + (ms - goneUntil) / 300);
  for (const ahead of [3, 10]) {
    const waited = await waitOf(ahead, joins);
    assert.ok(waited <= goneUntil + ahead * 300 + 600, `${waited} ms with ${ahead} ahead`);
  }
});

test("a log that stands still holds nobody up for long, whatever number the service tells", async () => {
  for (const random of [0, 0.999]) {
    const waited = await waitOf(1_000_000_000, () => 7, 0, random);
    assert.ok(waited <= 10 * (CLIENT_LIMITS.turnPatienceMs + 1.25 * CLIENT_LIMITS.maxTurnPollMs), `${waited} ms`);
  }
});
