import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toHex } from "@latchkey/mls";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hex, seed } from "../testing/inboxes.ts";
import { eip191Hash, localWallet, recoverEip191 } from "./eip191.ts";

const bad = { code: "IDENTITY_BAD_SIGNATURE", rule: "InvalidSignature" };

describe("EIP-191 wallet signatures", () => {
  test("the hash and the address of published examples come out", () => {
    const expected = "a1de988600a42c4b4ab089b619297c17d53cffae5d5120d82d8a92d0bb3b78f2";
    assert.equal(toHex(eip191Hash("Hello World")), expected);
    const wallet = localWallet(hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
    assert.equal(wallet.identifier, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
  });

  test("the signer is recovered, with v as 27/28 and as 0/1", async () => {
    const wallet = localWallet(seed(1));
    const signature = await wallet.signMessage("text ü");
    const short = signature.slice();
    short[64] = (short[64] ?? 0) - 27;
    assert.equal(recoverEip191("text ü", signature).signer.value, wallet.identifier);
    assert.equal(recoverEip191("text ü", short).signer.value, wallet.identifier);
    assert.notEqual(recoverEip191("text u", signature).signer.value, wallet.identifier);
  });

  test("a signature with high s is read as the one with low s and the same v", async () => {
    const wallet = localWallet(seed(2));
    const signature = await wallet.signMessage("text");
    const { r, s } = secp256k1.Signature.fromBytes(signature.subarray(0, 64), "compact");
    const mirrored = new secp256k1.Signature(r, secp256k1.Point.Fn.neg(s)).toBytes("compact");
    const high = new Uint8Array([...mirrored, signature[64] ?? 0]);
    assert.notDeepEqual(high, signature);
    assert.deepEqual(recoverEip191("text", high), recoverEip191("text", signature));
    assert.deepEqual(recoverEip191("text", high).normalized, signature);
    const turned = new Uint8Array([...mirrored, 55 - (signature[64] ?? 0)]);
    assert.notEqual(recoverEip191("text", turned).signer.value, wallet.identifier);
  });

  test("IDENTITY_MALFORMED: bytes that are no key of a wallet", () => {
    for (const key of [new Uint8Array(5), new Uint8Array(32), new Uint8Array(32).fill(0xff)]) {
      assert.throws(() => localWallet(key), { code: "IDENTITY_MALFORMED" });
    }
  });

  test("wrong lengths, a wrong v and numbers off the curve are refused", async () => {
    const signature = await localWallet(seed(3)).signMessage("text");
    const wrongV = signature.slice();
    wrongV[64] = 29;
    assert.throws(() => recoverEip191("text", signature.subarray(0, 64)), bad);
    assert.throws(() => recoverEip191("text", wrongV), bad);
    assert.throws(() => recoverEip191("text", new Uint8Array(65)), bad);
  });
});
