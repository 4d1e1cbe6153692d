import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSeed } from "../random.ts";
import { runSoak } from "./soak.ts";

test("four clients do at random what clients do, some at the same moment, with restarts: in the end they agree", async (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const { agree, failures, actions } = await runSoak({ clients: 4, seed, goesOn: (round) => round < 40 });
  assert.deepEqual({ agree, failures }, { agree: true, failures: {} });
  assert.ok((actions["message"] ?? 0) > 0 && (actions["restart"] ?? 0) > 0);
});
