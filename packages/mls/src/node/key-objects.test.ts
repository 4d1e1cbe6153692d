import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { CURVES, type Curve } from "../crypto/curves.ts";
import { ENCODED_KEYS, RAW_KEYS } from "./key-objects.ts";

function generate(curve: Curve): KeyObject {
  const { namedCurve } = CURVES[curve];
  return namedCurve === undefined
    ? generateKeyPairSync(curve as "ed25519").privateKey
    : generateKeyPairSync("ec", { namedCurve }).privateKey;
}

for (const curve of Object.keys(CURVES) as Curve[]) {
  test(`keys on ${curve} are the same by raw formats and by DER`, () => {
    const { publicKeyLength, privateKeyLength } = CURVES[curve];
    // Some private keys begin with zero bytes, which no form may drop.
    for (let round = 0; round < 20; round += 1) {
      const key = generate(curve);
      const privateKey = RAW_KEYS.exportPrivate(curve, key);
      const publicKey = RAW_KEYS.exportPublic(curve, key);
      assert.deepEqual([privateKey.length, publicKey.length], [privateKeyLength, publicKeyLength]);
      assert.deepEqual(ENCODED_KEYS.exportPrivate(curve, key), privateKey);
      assert.deepEqual(ENCODED_KEYS.exportPublic(curve, key), publicKey);
      const imported = ENCODED_KEYS.importPrivate(curve, privateKey);
      assert.deepEqual(RAW_KEYS.exportPrivate(curve, imported), privateKey);
      assert.deepEqual(RAW_KEYS.exportPublic(curve, imported), publicKey);
      assert.ok(RAW_KEYS.importPublic(curve, publicKey).equals(ENCODED_KEYS.importPublic(curve, publicKey)));
    }
  });
}
