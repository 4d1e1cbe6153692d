import assert from "node:assert/strict";
import { createHmac, hkdfSync } from "node:crypto";
import { test } from "node:test";
import { utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "./protocol.ts";
import { HMAC_ROOT_BYTES, senderHmac } from "./sender-hmac.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const root = new Uint8Array(HMAC_ROOT_BYTES).fill(3);
const groupId = new Uint8Array(16).fill(4);
const data = utf8("an MLSMessage");

test("sender_hmac is HMAC-SHA256 under a 42-byte key of HKDF over root, group and 30-day period", () => {
  const period = Buffer.alloc(8);
  period.writeBigInt64LE(656n);
  const ikm = Buffer.concat([root, groupId]);
  const key = hkdfSync("sha256", ikm, "libXMTP HKDF salt!", Buffer.concat([groupId, period]), 42);
  const expected = new Uint8Array(createHmac("sha256", Buffer.from(key)).update(data).digest());
  const epochSeconds = 656n * 2_592_000n + 5n;
  assert.deepEqual(senderHmac({ suite, root, groupId, epochSeconds, data }), expected);
});

test("it changes with the period and not within it", () => {
  const at = (epochSeconds: bigint) => senderHmac({ suite, root, groupId, epochSeconds, data });
  assert.deepEqual(at(2_592_000n), at(2_592_000n * 2n - 1n));
  assert.notDeepEqual(at(2_592_000n), at(2_592_000n * 2n));
});
