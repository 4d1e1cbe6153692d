import assert from "node:assert/strict";
import { test } from "node:test";
import { clientError } from "../errors.ts";
import { inParts } from "./in-parts.ts";

const refused = () => clientError("NODE_REJECTED", "too much (made up by a test)", { scope: "message" });

test("TRU-04 a look-up of 4 200 keys goes out in parts that a node takes, and comes back in order", async () => {
  const keys = Array.from({ length: 4_200 }, (_, index) => index);
  const sizes: number[] = [];
  const values = await inParts(keys, 500, async (part) => (sizes.push(part.length), part.map((key) => key * 2)));
  assert.deepEqual(sizes, [500, 500, 500, 500, 500, 500, 500, 500, 200]);
  assert.deepEqual(
    values,
    keys.map((key) => key * 2),
  );
  assert.deepEqual(await inParts([], 500, () => Promise.reject(refused())), []);
});

test("TRU-04 a node that takes less at once, or no such key, is asked in halves: only that key has no value", async () => {
  let calls = 0;
  const ask = async (part: readonly number[]) => {
    calls++;
    if (part.length > 30 || part.includes(7)) throw refused();
    return part;
  };
  const keys = Array.from({ length: 100 }, (_, index) => index);
  const values = await inParts(keys, 500, ask);
  assert.deepEqual(
    values,
    keys.map((key) => (key === 7 ? undefined : key)),
  );
  assert.equal(calls, 17);
});

test("TRU-04 a node that does not answer ends a look-up: that says nothing about a key", async () => {
  for (const code of ["NODE_UNREACHABLE", "RATE_LIMITED", "NODE_REJECTED"] as const) {
    await assert.rejects(
      inParts([1, 2], 500, () => Promise.reject(clientError(code, "made up by a test"))),
      { code },
    );
  }
});
