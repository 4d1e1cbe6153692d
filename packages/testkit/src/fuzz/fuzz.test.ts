import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { equalBytes } from "@latchkey/mls";
import { freshSeed, seededRandom } from "../random.ts";
import { fuzzClients } from "./clients.ts";
import { mutateBytes, mutateValue } from "./mutate.ts";
import { fuzz } from "./run.ts";

/** About three seconds on one core: the run is bounded by inputs, so that a seed says what was done. */
const INPUTS = 5_000;

/** Three batches and a join: about three seconds. */
const CLIENTS_INPUTS = 24;
const CLIENTS_SEED = 20261130;

describe("fuzz", () => {
  test("damaged and forged input ends in a typed error or a value, in bounded time and memory, the group as it was", async (t) => {
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}: npm run fuzz -- --seed ${seed} makes the same inputs`);
    const { inputs, findings, targets } = await fuzz(seed, (done) => done >= INPUTS);
    assert.deepEqual(findings, []);
    assert.equal(inputs, INPUTS);
    for (const { target, inputs: sent } of targets) assert.ok(sent > 0, `nothing was sent to ${target}`);
  });

  test("forged input gets past signatures and tags, to the rules behind them", async () => {
    const { targets } = await fuzz(1, (done) => done >= INPUTS);
    const refused = (part: string) =>
      new Set(targets.filter(({ target }) => target.includes(part)).flatMap((report) => Object.keys(report.refused)));
    for (const rule of ["parent-hash", "confirmation-tag", "path-ciphertexts"]) {
      assert.ok(refused("verify, ").has(rule), `no forged message was refused for ${rule}`);
    }
    for (const rule of ["tree-hash", "leaf-signature", "unmerged-leaves"]) {
      assert.ok(refused("external join, forged").has(rule), `no forged GroupInfo was refused for ${rule}`);
    }
  });
});

describe("fuzz of running clients", () => {
  test("whatever lies in a log, a slot, a Welcome topic or an identity log, every honest client goes on", async (t) => {
    t.diagnostic(`seed ${CLIENTS_SEED}: npm run fuzz -- --seed ${CLIENTS_SEED} makes the same inputs first`);
    const { inputs, joins, findings } = await fuzzClients(CLIENTS_SEED, (done) => done >= CLIENTS_INPUTS);
    assert.deepEqual(findings, []);
    assert.ok(inputs >= CLIENTS_INPUTS && joins > 0, `${inputs} inputs, ${joins} joins`);
  });

  test("equal seeds make equal inputs", async () => {
    const [once, again] = [await fuzzClients(3, (done) => done >= 8), await fuzzClients(3, (done) => done >= 8)];
    assert.deepEqual(again, once);
  });
});

describe("mutations", () => {
  test("equal seeds make equal damage, and what is damaged stays as it was", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
    const make = () => Array.from({ length: 50 }, (_, seed) => mutateBytes(bytes, seededRandom(seed), bytes).bytes);
    const [first, second] = [make(), make()];
    assert.ok(first.every((mutated, index) => equalBytes(mutated, second[index] ?? bytes.subarray(1))));
    assert.ok(first.some((mutated) => !equalBytes(mutated, bytes)));
    const value = { list: [1, 2, 3], bytes, wide: 5n, kind: "same" };
    const before = structuredClone(value);
    for (let seed = 0; seed < 50; seed++) assert.equal(mutateValue(value, seededRandom(seed)).value.kind, "same");
    assert.deepEqual(value, before);
  });

  test("the empty input can be damaged too", () => {
    const empty = new Uint8Array(0);
    for (let seed = 0; seed < 200; seed++) mutateBytes(empty, seededRandom(seed), empty);
  });
});
