import assert from "node:assert/strict";
import { test } from "node:test";
import { mayBeEdDsa } from "./eddsa-rules.ts";
import { EDGE_EDDSA } from "../testing/edge-eddsa.ts";

/** What the table of `mayBeEdDsa` leaves to the equation, or to the decoding of a point. */
const LEFT_TO_THE_LIBRARY = /honest|another message|not on the curve|of mixed order/;

for (const { name, suite, publicKey, signature } of EDGE_EDDSA) {
  const isLeft = LEFT_TO_THE_LIBRARY.test(name);
  test(`${isLeft ? "leaves to the library" : "refuses before any library sees it"}: ${name}`, () => {
    assert.equal(mayBeEdDsa(suite === 1 ? "ed25519" : "ed448", publicKey, signature), isLeft);
  });
}
