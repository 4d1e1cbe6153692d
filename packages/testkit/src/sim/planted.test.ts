import assert from "node:assert/strict";
import { test } from "node:test";
import { WHOLE } from "../whole.ts";
import { hunt, PLANTED_BUGS } from "./planted.ts";

/** Seeds that a bug may survive. */
const SEEDS = 20;

// Some with every `npm test`, one of each kind with `--whole`. The rare ones take minutes: `npm run sim -- --planted` has them too.
for (const bug of PLANTED_BUGS.filter(({ hunted }) => hunted === "always" || (WHOLE && hunted === "whole"))) {
  test(`the simulator finds a planted bug: ${bug.name}`, async () => {
    const { problem } = await hunt(bug, SEEDS);
    assert.notEqual(problem, undefined, `${SEEDS} seeds did not find it`);
  });
}
