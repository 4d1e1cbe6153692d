import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SizeResult } from "./compare-at-size.ts";
import { goalsOf } from "./goals.ts";

function size(members: number, own: Partial<SizeResult["own"]>, joinRatio?: number): SizeResult {
  const ratio = { latchkeyMs: 1, tsMlsMs: joinRatio ?? 0, ratio: joinRatio ?? 0 };
  const compared = joinRatio === undefined ? undefined : { join: ratio, processJoin: ratio, processCommit: ratio };
  const nothing = {
    floorMs: 1,
    joinMs: 1,
    joinOverFloor: 1,
    retriedJoinMs: 0.1,
    retryOverJoin: 0.1,
    processJoinMs: 1,
    processJoinBesideMs: 1,
    processCommitMs: 1,
    exportGroupInfoMs: 1,
    sendMs: 1,
    openMs: 1,
    rowBytesPerJoin: 1,
    rowBytesPerCommit: 1,
    memoryBytes: 1,
    memoryBytesPerMember: 1,
  };
  return { members, groupInfoBytes: 1, compared, own: { ...nothing, ...own } };
}

const verdicts = (sizes: readonly SizeResult[]) =>
  goalsOf(sizes).map(({ name, members, value, met }) => ({ name, members, value, met }));

describe("goalsOf", () => {
  test("is about the sizes that were measured, and about nothing else", () => {
    assert.deepEqual(goalsOf([size(10, {}), size(100, {})]), []);
    const names = verdicts([size(10_000, {})]).map(({ name }) => name);
    assert.ok(!names.some((name) => name.includes("at 100")), "a ratio between two sizes needs both");
  });

  test("counts a goal as met up to and including its bound, on either side", () => {
    const joins = (ratio: number) => verdicts([size(300, {}, ratio)]).map(({ met }) => met);
    assert.deepEqual([joins(9.99), joins(10)], [[false], [true]]);
    const retry = (value: number) =>
      verdicts([size(1_000, { retryOverJoin: value })]).find(({ name }) => name.startsWith("join again"));
    assert.deepEqual([retry(0.15)?.met, retry(0.151)?.met], [true, false]);
  });

  test("holds the time at 10 000 members against that at 100", () => {
    const goals = verdicts([size(100, { processJoinMs: 2 }), size(10_000, { processJoinMs: 3.2 })]);
    const flat = goals.find(({ name }) => name.includes("at 100"));
    assert.deepEqual([flat?.value, flat?.met], [1.6, false]);
  });

  test("lets times of one machine decide nothing", () => {
    const goals = goalsOf([size(1_000, {}), size(10_000, {}), size(100, {}), size(300, {}, 11)]);
    for (const { unit, decides } of goals) assert.equal(decides, unit !== "ms");
    assert.ok(goals.some(({ decides }) => !decides));
  });
});
