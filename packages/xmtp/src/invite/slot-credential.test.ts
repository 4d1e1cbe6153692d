import assert from "node:assert/strict";
import { hkdfSync } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { slotCredential } from "./slot-credential.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);

test("a slot's credential is HKDF-SHA-256 of key and slot id, as docs/invite-slots.md says", () => {
  const [key, id] = [new Uint8Array(32).fill(7), new Uint8Array(16).fill(9)];
  const expected = new Uint8Array(hkdfSync("sha256", key, id, "latchkey slot write 1", 32));
  assert.equal(toHex(slotCredential(suite, key, id)), toHex(expected));
  const others = [slotCredential(suite, key, new Uint8Array(16).fill(8)), slotCredential(suite, id, key)];
  assert.equal(new Set([expected, key, ...others].map(toHex)).size, 4);
});
