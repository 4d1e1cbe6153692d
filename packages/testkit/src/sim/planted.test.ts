import assert from "node:assert/strict";
import { test } from "node:test";
import { hunt, PLANTED_BUGS } from "./planted.ts";

/** Seeds that a bug may survive. */
const SEEDS = 20;

// The rare ones take minutes: `npm run sim -- --planted` has them too.
for (const bug of PLANTED_BUGS.filter(({ isRare }) => isRare !== true)) {
  test(`the simulator finds a planted bug: ${bug.name}`, async () => {
    const { problem } = await hunt(bug, SEEDS);
    assert.notEqual(problem, undefined, `${SEEDS} seeds did not find it`);
  });
}
