import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bytesKey } from "../bytes.ts";
import { SUITE } from "../testing/groups.ts";
import { MLS_LIMITS } from "../limits.ts";
import { nodeCrypto } from "../node/index.ts";
import { decodeLeafRatchets, encodeLeafRatchets, takeKey, takeNextKey, type Ratchet } from "./ratchet.ts";

const suite = nodeCrypto.suite(SUITE);
const { maxRatchetSteps, maxSkippedKeys } = MLS_LIMITS;

const start: Ratchet = { generation: 0, secret: new Uint8Array(32).fill(7), skipped: new Map() };

/** The receiving ratchet after that generation. */
function after(ratchet: Ratchet, generation: number): Ratchet {
  const taken = takeKey(suite, ratchet, generation);
  assert.ok(taken !== undefined);
  return taken.ratchet;
}

describe("a ratchet of a sender (RFC 9420 §9.1)", () => {
  test("receiver and sender have the same keys, in whatever order they are asked for, and each once", () => {
    let sending = start;
    const sent = Array.from({ length: 6 }, () => {
      const { ratchet, key } = takeNextKey(suite, sending);
      sending = ratchet;
      return key;
    });
    assert.equal(new Set(sent.map(({ key }) => bytesKey(key))).size, 6);
    let receiving = start;
    for (const generation of [3, 0, 5, 2, 1, 4]) {
      const taken = takeKey(suite, receiving, generation);
      assert.deepEqual(taken?.key, sent[generation]);
      receiving = taken?.ratchet ?? receiving;
      assert.equal(takeKey(suite, receiving, generation), undefined);
    }
    assert.equal(receiving.generation, 6);
    assert.equal(receiving.skipped.size, 0);
    assert.deepEqual(receiving.secret, sending.secret);
  });

  test("generation: as many steps ahead as the limit allows, and not one more", () => {
    for (const from of [start, after(start, 40)]) {
      const farthest = from.generation + maxRatchetSteps;
      assert.equal(after(from, farthest).generation, farthest + 1);
      assert.throws(() => takeKey(suite, from, farthest + 1), { rule: "generation" });
    }
  });

  test("of skipped keys the youngest are kept, as many as the limit allows", () => {
    const ratchet = after(start, maxSkippedKeys + 2);
    assert.deepEqual(
      [...ratchet.skipped.keys()],
      Array.from({ length: maxSkippedKeys }, (_, index) => index + 2),
    );
    assert.equal(after(start, maxSkippedKeys).skipped.size, maxSkippedKeys);
    assert.equal(takeKey(suite, ratchet, 1), undefined);
    assert.notEqual(takeKey(suite, ratchet, 2), undefined);
  });

  test("generation: the last one is sent, and then the ratchet is used up", () => {
    const { ratchet } = takeNextKey(suite, { ...start, generation: 0xfffffffe });
    assert.equal(ratchet.generation, 0xffffffff);
    assert.throws(() => takeNextKey(suite, ratchet), { rule: "generation" });
  });

  test("is stored and read back whole", () => {
    const ratchets = { handshake: after(start, 3), application: after(after(start, 9), 4) };
    assert.deepEqual(decodeLeafRatchets(encodeLeafRatchets(ratchets)), ratchets);
  });
});
