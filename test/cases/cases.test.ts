import assert from "node:assert/strict";
import { test } from "node:test";
import { filesEndingWith, isTest } from "../tidy/source-files.ts";
import { ALL_IDS, idsIn, idsOfPage, REQUIRED_IDS, summarize } from "./cases.ts";

test("a title carries the ids it names", () => {
  assert.deepEqual(idsIn("REV-05 and REV-06: a replaced key"), ["REV-05", "REV-06"]);
  assert.deepEqual(idsIn("XIP-82, EIP-191 and UTF-16 are no cases"), []);
});

test("docs/cases.md lists each id once, with a sentence", () => {
  assert.ok(REQUIRED_IDS.length > 80);
  assert.equal(new Set(ALL_IDS).size, ALL_IDS.length);
  assert.deepEqual(idsOfPage("| X82-01 | A joiner scans. |\n| X82-02 | |\n| X82-3  | A joiner scans. |"), ["X82-01"]);
});

test("docs/cases.md lists every id that a test carries", () => {
  const carried = filesEndingWith(".test.ts")
    .filter(({ path }) => isTest(path) && path !== "test/cases/cases.test.ts")
    .flatMap(({ path, text }) => idsIn(text).map((id) => `${id} in ${path}`));
  assert.ok(carried.length > 200);
  assert.deepEqual(
    carried.filter((one) => !ALL_IDS.includes(one.slice(0, 6))),
    [],
  );
});

test("an id without a test, an id that is not listed, and a test that failed make the run fail", () => {
  const all = REQUIRED_IDS.map((id) => ({ id, title: "seen", passed: true }));
  assert.deepEqual(summarize(all), { passed: all.length, failed: 0, cases: all });
  assert.equal(summarize(all.slice(1)).failed, 1);
  assert.equal(summarize([...all, { id: "X82-01", title: "again", passed: false }]).failed, 1);
  assert.equal(summarize([...all, { id: "X82-99", title: "not listed", passed: true }]).failed, 1);
  assert.equal(summarize([...all, { id: "FILE", title: "x.test.ts", passed: false }]).failed, 1);
});
