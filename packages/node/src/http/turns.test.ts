import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Turns } from "./turns.ts";

describe("turns of requests", () => {
  test("TRU-19 an address with few requests does not wait for those of one with many", async () => {
    const turns = new Turns(1_000);
    const begun: string[] = [];
    const take = (address: string): boolean => turns.take(address, () => begun.push(address) > 0);
    for (let count = 0; count < 500; count++) take("many");
    take("few");
    take("few");
    assert.deepEqual(begun, [], "nothing begins while requests arrive");
    await turn();
    assert.deepEqual(begun.slice(0, 4), ["many", "few", "many", "few"]);
    assert.ok(begun.length < 50, "a turn begins a few only");
    while (begun.length < 502) await turn();
  });

  test("TRU-19 requests that were taken back take no turn from others", async () => {
    const turns = new Turns(1_000);
    let begun = 0;
    for (let count = 0; count < 900; count++) turns.take("flood", () => false);
    turns.take("flood", () => ++begun > 0);
    await turn();
    assert.equal(begun, 1);
  });

  test("TRU-19 so many requests of one address wait at most", async () => {
    const turns = new Turns(2);
    const taken = [1, 2, 3].map(() => turns.take("one", () => true));
    assert.deepEqual(taken, [true, true, false]);
    assert.equal(
      turns.take("other", () => true),
      true,
    );
    await turn();
    assert.equal(
      turns.take("one", () => true),
      true,
    );
  });
});
