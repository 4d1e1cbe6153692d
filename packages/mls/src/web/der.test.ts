import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { derFromRaw, rawFromDer } from "./der.ts";

/** Lengths of the scalars of P-256, P-384 and P-521, in bytes. */
const SCALAR_LENGTHS = [32, 48, 66];

test("ECDSA-Sig-Value: DER has no needless zero, and none is missing before a first bit of one", () => {
  const raw = new Uint8Array(64);
  raw[31] = 0x7f;
  raw[63] = 0x80;
  assert.equal(toHex(derFromRaw(raw)), "300702017f02020080");
  assert.deepEqual(rawFromDer(fromHex("300702017f02020080"), 32), raw);
});

test("ECDSA-Sig-Value: a content of 128 bytes or more has its length in two bytes", () => {
  assert.equal(toHex(derFromRaw(new Uint8Array(132).fill(1))).slice(0, 12), "308188024201");
  assert.equal(toHex(derFromRaw(new Uint8Array(96).fill(1))).slice(0, 10), "3064023001");
});

test("ECDSA-Sig-Value: raw → DER → raw is the identity, and DER has one form", () => {
  const scalar = fc.tuple(fc.uint8Array({ minLength: 66, maxLength: 66 }), fc.nat(40));
  fc.assert(
    fc.property(fc.constantFrom(...SCALAR_LENGTHS), scalar, scalar, (length, ...scalars) => {
      const raw = concatBytes(...scalars.map(([digits, zeros]) => digits.fill(0, 0, zeros).subarray(0, length)));
      const der = derFromRaw(raw);
      assert.deepEqual(rawFromDer(der, length), raw);
      for (const at of der.keys()) {
        const changed = der.with(at, (der[at] ?? 0) ^ 1);
        const read = rawFromDer(changed, length);
        if (read !== undefined) assert.deepEqual(derFromRaw(read), changed);
        assert.equal(rawFromDer(der.subarray(0, at), length), undefined);
      }
    }),
    { seed: 20_261_123, numRuns: 200 },
  );
});
