import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { benchAtSize, compareEngines } from "./compare-at-size.ts";
import { growQuickly } from "./grow-quickly.ts";
import { compare, median } from "./measure.ts";

const ONCE = { runs: 1, warmUps: 0 };

describe("benchAtSize", () => {
  for (const members of [2, 5]) {
    test(`Latchkey and ts-mls follow each other's external commits, and a member's commit, with ${members} members`, async () => {
      const { compared, own, ...size } = await benchAtSize(members, ONCE);
      assert.equal(size.members, members);
      assert.ok(compared !== undefined);
      for (const { ratio } of [compared.join, compared.processJoin, compared.processCommit]) assert.ok(ratio > 0);
      for (const [name, value] of Object.entries(own) as [string, number][]) {
        assert.ok(Number.isFinite(value), `${name} is ${value}`);
      }
    });
  }
});

describe("growQuickly", () => {
  for (const members of [3, 37]) {
    test(`makes a group of ${members} without a blank parent among its members, which ts-mls accepts too`, async () => {
      const grown = await growQuickly(members);
      assert.equal(grown.group.memberCount, members);
      const { join } = await compareEngines(grown, ONCE);
      assert.ok(join.ratio > 0);
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
