import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { ml_kem768_x25519 } from "@noble/post-quantum/hybrid.js";
import { toHex, type CipherSuite } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { hex } from "../testing/inboxes.ts";
import { generateXWingKeyPair, X_WING, xWingEncapsulate, xWingSetupReceiver, xWingSetupSender } from "./x-wing.ts";

/** Published with the draft of X-Wing; public key and ciphertext by their SHA-256, because they are long. */
const VECTORS = [
  {
    privateKey: "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
    random:
      "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2" +
      "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
    sharedSecret: "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
    publicKeyHash: "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
    ciphertextHash: "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
  },
  {
    privateKey: "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
    random:
      "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef" +
      "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
    sharedSecret: "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
    publicKeyHash: "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
    ciphertextHash: "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
  },
  {
    privateKey: "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
    random:
      "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619" +
      "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
    sharedSecret: "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
    publicKeyHash: "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
    ciphertextHash: "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
  },
] as const;

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const info = hex("0102");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** What X-Wing takes of a suite, on a platform without ML-KEM. */
function without(): CipherSuite {
  const withoutMlKem: Pick<CipherSuite, "dh" | "dhPublicKey" | "encapsulateMlKem768"> = {
    dh: (privateKey, publicKey) => suite.dh(privateKey, publicKey),
    dhPublicKey: (privateKey) => suite.dhPublicKey(privateKey),
    encapsulateMlKem768: undefined,
  };
  return withoutMlKem as CipherSuite;
}

describe("X-Wing", () => {
  test("keys, ciphertexts and secrets are those of the published vectors", () => {
    for (const vector of VECTORS) {
      const keyPair = generateXWingKeyPair(() => hex(vector.privateKey));
      assert.equal(sha256(keyPair.publicKey), vector.publicKeyHash);
      const sealed = ml_kem768_x25519.encapsulate(keyPair.publicKey, hex(vector.random));
      assert.equal(sha256(sealed.cipherText), vector.ciphertextHash);
      assert.equal(toHex(sealed.sharedSecret), vector.sharedSecret);
      assert.equal(toHex(ml_kem768_x25519.decapsulate(sealed.cipherText, keyPair.privateKey)), vector.sharedSecret);
    }
  });

  test("the HPKE context is of the id 0x004D from before the registration, not of 0x647A", () => {
    // Recorded while the native library opened Welcomes made with this code (interop 2.3).
    const [{ privateKey, random }] = VECTORS;
    const { publicKey } = generateXWingKeyPair(() => hex(privateKey));
    const { cipherText } = ml_kem768_x25519.encapsulate(publicKey, hex(random));
    const context = xWingSetupReceiver(suite, cipherText, hex(privateKey), info);
    assert.equal(
      toHex(context.export(hex("07"), 32)),
      "2946d96e90cf16f0a2747be3960089bbd584c9a53495c109c0f54f79ae685548",
    );
  });

  test("encapsulating with X25519 of the suite comes to the published vectors; ML-KEM of the platform fits the library", async () => {
    for (const vector of VECTORS) {
      const { publicKey } = generateXWingKeyPair(() => hex(vector.privateKey));
      const sealed = await xWingEncapsulate(without(), publicKey, hex(vector.random));
      assert.equal(sha256(sealed.ciphertext), vector.ciphertextHash);
      assert.equal(toHex(sealed.sharedSecret), vector.sharedSecret);
      const other = await xWingEncapsulate(suite, publicKey, hex(vector.random));
      assert.equal(suite.encapsulateMlKem768?.(publicKey.subarray(0, 1184)).ciphertext.length, 1088);
      assert.deepEqual(ml_kem768_x25519.decapsulate(other.ciphertext, hex(vector.privateKey)), other.sharedSecret);
    }
  });

  test("where the platform refuses every ML-KEM key, JavaScript encapsulates", async () => {
    const refusing = { ...without(), encapsulateMlKem768: () => assert.fail("no ML-KEM here") };
    const [{ privateKey, random, sharedSecret }] = VECTORS;
    const { publicKey } = generateXWingKeyPair(() => hex(privateKey));
    assert.equal(toHex((await xWingEncapsulate(refusing, publicKey, hex(random))).sharedSecret), sharedSecret);
  });

  test("as an HPKE KEM: both sides have the same context", async () => {
    const keyPair = generateXWingKeyPair((length) => suite.randomBytes(length));
    const sender = await xWingSetupSender(suite, keyPair.publicKey, info);
    const receiver = xWingSetupReceiver(suite, sender.kemOutput, keyPair.privateKey, info);
    assert.deepEqual(receiver.open(hex(""), sender.context.seal(hex(""), hex("aa"))), hex("aa"));
    assert.deepEqual(receiver.export(hex("07"), 32), sender.context.export(hex("07"), 32));
  });

  test("keys and ciphertexts of the wrong length, and keys that are none, are refused", async () => {
    const { publicKey, privateKey } = generateXWingKeyPair((length) => suite.randomBytes(length));
    const notReduced = publicKey.with(0, 0xff).with(1, 0xff);
    const lowOrder = Uint8Array.from([...publicKey.subarray(0, X_WING.publicKeyBytes - 32), ...new Uint8Array(32)]);
    for (const bad of [publicKey.subarray(1), notReduced, lowOrder]) {
      await assert.rejects(xWingSetupSender(suite, bad, info), { code: "CRYPTO" });
    }
    assert.throws(() => xWingSetupReceiver(suite, hex("00"), privateKey, info), { code: "CRYPTO" });
  });
});
