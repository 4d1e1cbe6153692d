import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeExact, decodeHpkeCiphertext, generateHpkeKeyPair, hpkeSetupReceiver, utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { WelcomeWrapperAlgorithm } from "./proto.ts";
import { XMTP_CIPHER_SUITE } from "./protocol.ts";
import { hex } from "./test-inboxes.ts";
import { unwrapWelcome, wrapWelcome } from "./welcome-wrap.ts";

const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const welcome = utf8("a Welcome");
const initKeyPair = await generateHpkeKeyPair(suite);
const wrapped = await wrapWelcome({ suite, initKey: initKeyPair.publicKey, welcome, messageCursor: 77n });

describe("welcome wrapper", () => {
  test("REV-02 Welcome and cursor come back", async () => {
    assert.deepEqual(await unwrapWelcome({ suite, initKeyPair, ...wrapped }), { welcome, messageCursor: 77n });
    assert.equal(wrapped.wrapperAlgorithm, WelcomeWrapperAlgorithm.CURVE25519);
    assert.deepEqual(wrapped.hpkePublicKey, initKeyPair.publicKey);
  });

  test("it is one HPKE context under the label MLS_WELCOME: Welcome first, metadata second", async () => {
    const info = hex(`13 ${Buffer.from("MLS 1.0 MLS_WELCOME").toString("hex")} 00`);
    const { kemOutput, ciphertext } = decodeExact(wrapped.data, decodeHpkeCiphertext);
    const context = await hpkeSetupReceiver(suite, kemOutput, initKeyPair, info);
    assert.deepEqual(context.open(new Uint8Array(0), ciphertext), welcome);
    assert.deepEqual(context.open(new Uint8Array(0), wrapped.welcomeMetadata), hex("084d"));
  });

  test("no metadata means cursor 0", async () => {
    const input = { suite, initKeyPair, ...wrapped, welcomeMetadata: new Uint8Array(0) };
    assert.equal((await unwrapWelcome(input)).messageCursor, 0n);
  });

  test("a damaged Welcome, foreign metadata, another key and other algorithms are refused", async () => {
    const other = await wrapWelcome({ suite, initKey: initKeyPair.publicKey, welcome, messageCursor: 1n });
    const swapped = { suite, initKeyPair, ...wrapped, welcomeMetadata: other.welcomeMetadata };
    await assert.rejects(unwrapWelcome(swapped), { code: "CRYPTO" });
    const stranger = await generateHpkeKeyPair(suite);
    await assert.rejects(unwrapWelcome({ suite, ...wrapped, initKeyPair: stranger }), { code: "CRYPTO" });
    await assert.rejects(unwrapWelcome({ suite, initKeyPair, ...wrapped, data: hex("00") }), { code: "DECODE" });
    const wrapperAlgorithm = WelcomeWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6;
    await assert.rejects(unwrapWelcome({ suite, initKeyPair, ...wrapped, wrapperAlgorithm }), {
      code: "MLS_UNSUPPORTED",
    });
  });
});
