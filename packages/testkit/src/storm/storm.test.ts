import assert from "node:assert/strict";
import { test } from "node:test";
import { runStorm } from "./storm.ts";

test("SEC-03 eight people with two installations each scan one poster at once: all are in and agree", async () => {
  const { joined, agree, failures, wastedPerJoin } = await runStorm({
    joiners: 8,
    installations: 2,
    order: "at-once",
    catchUp: true,
  });
  assert.deepEqual({ joined, agree, failures }, { joined: 8, agree: true, failures: {} });
  assert.ok(wastedPerJoin < 8, `${wastedPerJoin} commits wasted per join`);
});
