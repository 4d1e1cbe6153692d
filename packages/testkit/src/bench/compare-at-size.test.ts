import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compareAtSize } from "./compare-at-size.ts";
import { compare, median } from "./measure.ts";

describe("compareAtSize", () => {
  for (const members of [2, 5]) {
    test(`Latchkey and ts-mls follow each other's external commits, and a member's commit, with ${members} members`, async () => {
      const result = await compareAtSize(members, { runs: 1, warmUps: 0 });
      assert.equal(result.members, members);
      for (const { ratio } of [result.join, result.processJoin, result.processCommit]) assert.ok(ratio > 0);
    });
  }
});

describe("compare", () => {
  test("runs both operations by turns and leaves the warm-up out", async () => {
    const order: string[] = [];
    const result = await compare(
      { runs: 2, warmUps: 1 },
      async (turn) => order.push(`a${turn}`),
      async (turn) => order.push(`b${turn}`),
    );
    assert.deepEqual(order, ["a0", "b0", "a1", "b1", "a2", "b2"]);
    assert.equal(result.ratio, result.tsMlsMs / result.latchkeyMs);
  });
});

describe("median", () => {
  test("is the middle value, or the mean of the middle two", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 9]), 3);
    assert.throws(() => median([]), RangeError);
  });
});
