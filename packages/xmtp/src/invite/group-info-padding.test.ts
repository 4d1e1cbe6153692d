import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, type Extension } from "@latchkey/mls";
import { XMTP_LIMITS } from "../limits.ts";
import { paddedBytes, padGroupInfo } from "./group-info-padding.ts";

/** Something of a size with extensions behind it, as a GroupInfo has them. */
async function exported(bytes: number, padding: readonly Extension[]): Promise<Uint8Array> {
  return encode(padding, (writer) => {
    writer.bytes(new Uint8Array(bytes));
    for (const { type, data } of padding) {
      writer.u16(type);
      writer.opaque(data);
    }
  });
}

test("a padded GroupInfo has one of few sizes, whatever it holds", async () => {
  for (const bytes of [100, 4000, 4060, 4087, 4088, 4089, 4096, 5000, 20_000, 300_000]) {
    const { length } = await padGroupInfo((padding) => exported(bytes, padding));
    assert.equal(length, paddedBytes(bytes + 8), `${bytes}`);
  }
  assert.deepEqual([1, 4096, 4097, 300_000].map(paddedBytes), [4096, 4096, 8192, 524_288]);
  assert.equal(paddedBytes(5_000_000), XMTP_LIMITS.maxBlobBytes - 1024);
});

test("a GroupInfo is exported three times as a rule, and five where no padding gives the size", async () => {
  for (const [bytes, made, size] of [
    [4096 - 64, 4, 4096],
    [4096 - 67, 5, 4095],
    [20_000, 3, 32_768],
  ] as const) {
    let calls = 0;
    const padded = await padGroupInfo((padding) => (calls++, exported(bytes, padding)));
    assert.deepEqual([calls, padded.length], [made, size]);
  }
});

test("a GroupInfo that leaves no room for padding stays as it is", async () => {
  const bytes = XMTP_LIMITS.maxBlobBytes - 500;
  assert.equal((await padGroupInfo((padding) => exported(bytes, padding))).length, bytes);
});
