import assert from "node:assert/strict";
import { test } from "node:test";
import { requireInt64, saturatedNs } from "./numbers.ts";

const BORDER = 1n << 63n;

test("ids from 2^63 on are refused by their rule, times are brought down", () => {
  for (const id of [0n, 1n, 1n << 53n, BORDER - 1n]) requireInt64(id, "Rule", "an id");
  for (const id of [BORDER, (1n << 64n) - 1n]) {
    assert.throws(() => requireInt64(id, "Rule", "an id"), { name: "DecodeError", rule: "Rule" });
  }
  assert.deepEqual([0n, BORDER - 1n, BORDER, BORDER * 2n].map(saturatedNs), [
    0n,
    BORDER - 1n,
    BORDER - 1n,
    BORDER - 1n,
  ]);
});
