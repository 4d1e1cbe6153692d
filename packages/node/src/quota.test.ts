import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Quota, type QuotaOptions } from "./quota.ts";
import { RateLimiter } from "./rate-limiter.ts";

function quotaOf(options: Partial<QuotaOptions> = {}) {
  const clock = { ms: 0 };
  const refused: number[] = [];
  const quota = new Quota({
    what: "bytes",
    total: 100,
    perAddress: 60,
    reclaimMs: 10,
    monotonicMs: () => clock.ms,
    refused: () => refused.push(clock.ms),
    ...options,
  });
  const aborted: string[] = [];
  const lease = (address: string, amount: number, name = address) => {
    const made = quota.lease(address, () => aborted.push(name));
    made.add(amount);
    return made;
  };
  return { clock, quota, refused, aborted, lease };
}

describe("Quota", () => {
  test("NODE_BUSY, RATE_LIMITED: beyond the total and beyond one address's share, until something is given back", () => {
    const { quota, refused, lease } = quotaOf();
    const first = lease("a", 60);
    assert.throws(() => lease("a", 1), { code: "RATE_LIMITED", retryable: true, retryAfterMs: 10 });
    lease("b", 40);
    assert.throws(() => lease("c", 1), { code: "NODE_BUSY", retryable: true, retryAfterMs: 1_000 });
    assert.equal(refused.length, 2);
    first.give(10);
    lease("c", 10);
    first.end();
    first.end();
    assert.equal(quota.held, 50);
    assert.throws(() => first.add(1), { code: "NODE_BUSY" }, "what has ended takes nothing any more");
    assert.equal(quota.held, 50);
  });

  test("TRU-19 what stands still is taken back when others need it: first of the address that holds most", () => {
    const { clock, aborted, lease } = quotaOf();
    lease("small", 30);
    lease("large", 20, "large, old");
    clock.ms = 5;
    const moving = lease("large", 40, "large, moving");
    clock.ms = 9;
    assert.throws(() => lease("c", 30), { code: "NODE_BUSY" }, "nothing stands still for long yet");
    clock.ms = 11;
    moving.give(1);
    lease("c", 30);
    assert.deepEqual(aborted, ["large, old"]);
    clock.ms = 22;
    lease("d", 30);
    assert.deepEqual(aborted, ["large, old", "large, moving"]);
  });

  test("TRU-19 an address at its bound takes from itself, and what is shielded is left alone", () => {
    const { clock, aborted, lease } = quotaOf();
    const shielded = lease("a", 30, "shielded");
    shielded.shield();
    lease("a", 30, "exposed");
    lease("b", 20);
    clock.ms = 20;
    lease("a", 30, "next");
    assert.deepEqual(aborted, ["exposed"]);
    assert.throws(() => lease("a", 30), { code: "RATE_LIMITED" });
    shielded.expose();
    clock.ms = 30;
    lease("a", 30);
    assert.deepEqual(aborted, ["exposed", "next"]);
  });

  test("TRU-19 large leases leave an eighth to small ones, and small ones no rate counts", () => {
    const rate = new RateLimiter({ burst: 80, perSecond: 1, maxKeys: 10, monotonicMs: () => 0 });
    const { lease } = quotaOf({ small: 5, perAddress: 100, rate });
    const large = lease("a", 87);
    assert.throws(() => lease("a", 6), { code: "NODE_BUSY" });
    lease("a", 5);
    large.end();
    assert.throws(() => lease("a", 6), { code: "RATE_LIMITED", retryAfterMs: 13_000 }, "92 of 80 were moved");
    lease("a", 5);
    lease("b", 6);
  });
});
