import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshSeed, seededRandom } from "../random.ts";
import { runHistory, totalCounts, type HistoryReport } from "./run.ts";

const STEPS = 14;
const MAX_MEMBERS = 8;
/** A history whose actions are known to cover what the last test asks for. */
const FIXED_SEEDS = [4, 7];

async function run(seeds: readonly number[]): Promise<HistoryReport[]> {
  const reports: HistoryReport[] = [];
  for (const seed of seeds) {
    for (const cipherSuite of [1, 2, 3]) {
      reports.push(await runHistory({ seed, cipherSuite, steps: STEPS, maxMembers: MAX_MEMBERS }));
    }
  }
  return reports;
}

describe("histories of Latchkey and ts-mls members", () => {
  test("all members agree on every epoch authenticator, in suites 1 to 3, and every engine does its part", async () => {
    const counts = totalCounts(await run(FIXED_SEEDS));
    for (const what of [
      "agreements",
      "application messages opened",
      "latchkey commits",
      "ts-mls commits",
      "latchkey joins by Welcome of ts-mls",
      "ts-mls joins by Welcome of latchkey",
      "latchkey joins externally by GroupInfo of ts-mls",
      "ts-mls joins externally by GroupInfo of latchkey",
      "latchkey proposes update",
      "ts-mls proposes remove",
      "latchkey commits psk by value",
      "ts-mls proposes psk",
      "latchkey proposes itself",
      "ts-mls proposes itself",
      "ts-mls commits reinit",
      "latchkey goes to a reinit of ts-mls",
      "ts-mls goes to a reinit of latchkey",
      "latchkey goes to a branch of ts-mls",
      "ts-mls goes to a branch of latchkey",
    ]) {
      assert.ok((counts[what] ?? 0) > 0, `the histories of the fixed seeds have no: ${what}`);
    }
  });

  test("all members agree in a history that nobody has seen before", async (t) => {
    const seed = freshSeed();
    t.diagnostic(`npm run differential -- --seed ${seed} --seeds 1 --steps ${STEPS} --members ${MAX_MEMBERS}`);
    for (const { counts } of await run([seed])) assert.ok((counts["agreements"] ?? 0) >= STEPS);
  });
});

describe("seededRandom", () => {
  test("repeats itself from the same seed, and shuffles without loss", () => {
    const take = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 20 }, () => random.int(1000));
    };
    assert.deepEqual(take(7), take(7));
    assert.notDeepEqual(take(7), take(8));
    assert.deepEqual(seededRandom(1).shuffle([3, 1, 2]).sort(), [1, 2, 3]);
    assert.throws(() => seededRandom(1).pick([]), RangeError);
  });
});
