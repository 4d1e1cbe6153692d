import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@latchkey/mls";
import { privateKeyToAccount } from "viem/accounts";
import { generatedSigner, walletSigner } from "./signers.ts";

test("a viem account and a key held here are the same wallet: same address, same signature", async () => {
  const privateKey = new Uint8Array(32).fill(7);
  const viem = walletSigner(privateKeyToAccount(`0x${toHex(privateKey)}`));
  const held = generatedSigner(privateKey);
  assert.equal(viem.identifier, held.identifier);
  assert.match(viem.identifier, /^0x[0-9a-f]{40}$/);
  const text = "XMTP : Authenticate to inbox\n\n…";
  assert.deepEqual(await viem.signMessage(text), await held.signMessage(text));
});

test("without a key a fresh wallet is made each time", () => {
  assert.notEqual(generatedSigner().identifier, generatedSigner().identifier);
});

test("ARGUMENT_INVALID: bytes that are no private key", () => {
  for (const bytes of [new Uint8Array(31).fill(1), new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
    assert.throws(() => generatedSigner(bytes), { code: "ARGUMENT_INVALID" });
  }
});
