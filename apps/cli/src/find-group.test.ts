import assert from "node:assert/strict";
import { test } from "node:test";
import { findGroup } from "./find-group.ts";

const GROUPS = [
  { id: "aa11223344556677", name: "team" },
  { id: "aa99223344556677", name: "family" },
  { id: "bb11223344556677", name: "family" },
  { id: "cc11223344556677", name: "aa" },
];

test("a group is found by its id, its name, or the beginning of its id in either case", () => {
  assert.equal(findGroup(GROUPS, "bb11223344556677"), GROUPS[2]);
  assert.equal(findGroup(GROUPS, "team"), GROUPS[0]);
  assert.equal(findGroup(GROUPS, "bb"), GROUPS[2]);
  assert.equal(findGroup(GROUPS, "AA99"), GROUPS[1]);
});

test("a name goes before the beginning of an id", () => {
  assert.equal(findGroup(GROUPS, "aa"), GROUPS[3]);
});

test("several groups of a name are GROUP_AMBIGUOUS and listed by the beginning of their ids", () => {
  assert.throws(() => findGroup(GROUPS, "family"), {
    code: "GROUP_AMBIGUOUS",
    message: /aa992233 \(family\), bb112233 \(family\)/,
  });
  assert.throws(() => findGroup(GROUPS.slice(0, 3), "a"), { code: "GROUP_AMBIGUOUS" });
});

test("no group is GROUP_UNKNOWN, and an invite link given by mistake is not repeated", () => {
  assert.throws(() => findGroup(GROUPS, "friends"), { code: "GROUP_UNKNOWN" });
  assert.throws(() => findGroup(GROUPS, ""), { code: "GROUP_UNKNOWN" });
  assert.throws(() => findGroup(GROUPS, "https://latchkey.link/i#CiAKHmh0dHA6Ly8xMjcu"), {
    code: "GROUP_UNKNOWN",
    message: /called "https:\/\/latchkey\.link\/i#…"/,
  });
});
