import assert from "node:assert/strict";
import { test } from "node:test";
import { LatchkeyError, MLS_LIMITS } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { RowSealer, sealingSuite } from "./row-sealer.ts";

const suite = sealingSuite(nodeCrypto);
const sealer = new RowSealer(suite, new Uint8Array(32).fill(1), "messages");

test("texts of a sealed row come back as they were, a byte order mark and NUL included", () => {
  for (const text of ["", "\uFEFF", "\uFEFFhello", "a\0b", "\0", "\uFFFE\uFFFF", "\u{10FFFF}", "e\u0301", "\r\n"]) {
    const row = { text, content: new Uint8Array(2), id: -1n };
    assert.deepEqual(sealer.open([1n], sealer.seal([1n], row)), row, JSON.stringify(text));
  }
});

test("a row sealed for another place is STORE_DAMAGED", () => {
  const sealed = sealer.seal([1n], { text: "one" });
  const isDamaged = (error: unknown) => error instanceof LatchkeyError && error.code === "STORE_DAMAGED";
  assert.throws(() => sealer.open([2n], sealed), isDamaged);
});

test("a field larger than a vector of the engine may be comes back, in a buffer of its own", () => {
  const rows = new Uint8Array(MLS_LIMITS.maxVectorBytes + 1).fill(7);
  const opened = sealer.open([1n], sealer.seal([1n], { rows }))["rows"] as Uint8Array;
  assert.ok(Buffer.from(rows.buffer).equals(opened));
  assert.equal(opened.buffer.byteLength, rows.length);
});
