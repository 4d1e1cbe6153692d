import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_IDS, idsIn, summarize } from "./cases.ts";

test("a title carries the ids it names, and only those that exist", () => {
  assert.deepEqual(idsIn("REV-05 and REV-06: a replaced key"), ["REV-05", "REV-06"]);
  assert.deepEqual(idsIn("XIP-82 is no case, XIP-27 neither"), []);
  assert.equal(new Set(ALL_IDS).size, ALL_IDS.length);
});

test("an id without a test, and a test that failed, make the run fail", () => {
  const all = ALL_IDS.map((id) => ({ id, title: "seen", passed: true }));
  assert.deepEqual(summarize(all), { passed: ALL_IDS.length, failed: 0, cases: all });
  assert.equal(summarize(all.slice(1)).failed, 1);
  assert.equal(summarize([...all, { id: "XIP-01", title: "again", passed: false }]).failed, 1);
  assert.equal(summarize([...all, { id: "FILE", title: "x.test.ts", passed: false }]).failed, 1);
});
