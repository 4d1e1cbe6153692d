import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RateLimiter } from "./rate-limiter.ts";

describe("RateLimiter", () => {
  function limiter(maxKeys = 10) {
    const clock = { ms: 0 };
    const options = { burst: 2, perSecond: 4, maxKeys, monotonicMs: () => clock.ms };
    return { clock, limiter: new RateLimiter(options) };
  }

  test("LIMIT a burst passes, then the wait is told and is enough", () => {
    const { clock, limiter: limited } = limiter();
    assert.deepEqual([limited.take("a"), limited.take("a"), limited.take("a")], [0, 0, 250]);
    clock.ms = 125;
    assert.equal(limited.take("a"), 125);
    clock.ms = 250;
    assert.equal(limited.take("a"), 0);
    clock.ms = 1_000_000;
    assert.deepEqual([limited.take("a"), limited.take("a"), limited.take("a")], [0, 0, 250], "never above the burst");
  });

  test("LIMIT keys are apart and at most maxKeys are remembered, the least recent forgotten", () => {
    const { limiter: limited } = limiter(2);
    for (const key of ["a", "a", "b", "b", "a"]) limited.take(key);
    limited.take("c"); // Forgets b, which was used before a.
    assert.equal(limited.size, 2);
    assert.ok(limited.take("a") > 0);
    assert.equal(limited.take("b"), 0);
  });
});
