import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  decodeExact,
  decodeHpkeCiphertext,
  generateHpkeKeyPair,
  hpkeSetupReceiver,
  utf8,
  type KeyPair,
} from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { WelcomeWrapperAlgorithm } from "../proto.ts";
import { XMTP_CIPHER_SUITE } from "../protocol.ts";
import { hex } from "../testing/inboxes.ts";
import { unwrapWelcome, wrapWelcome, type WelcomeKeyPair } from "./wrap.ts";
import { generateXWingKeyPair, xWingSetupReceiver } from "./x-wing.ts";

const { CURVE25519, XWING_MLKEM_768_DRAFT_6: X_WING } = WelcomeWrapperAlgorithm;
const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const content = { welcome: utf8("a Welcome"), messageCursor: 77n };
const none = new Uint8Array(0);

const newKeyPair: Readonly<Record<WelcomeKeyPair["algorithm"], () => Promise<KeyPair>>> = {
  [CURVE25519]: () => generateHpkeKeyPair(suite),
  [X_WING]: async () => generateXWingKeyPair((length) => suite.randomBytes(length)),
};

for (const algorithm of [CURVE25519, X_WING] as const) {
  describe(`welcome wrapper, algorithm ${algorithm}`, async () => {
    const keyPair = { algorithm, ...(await newKeyPair[algorithm]()) };
    const wrapped = await wrapWelcome(suite, keyPair, content);

    test("REV-02 Welcome and cursor come back", async () => {
      assert.deepEqual(await unwrapWelcome(suite, keyPair, wrapped), content);
      assert.equal(wrapped.wrapperAlgorithm, algorithm);
      assert.deepEqual(wrapped.hpkePublicKey, keyPair.publicKey);
    });

    test("MessageCursorOutOfRange: ids are below 2^63", async () => {
      for (const messageCursor of [0n, 1n, 2n ** 53n, 2n ** 63n - 1n]) {
        const opened = await unwrapWelcome(
          suite,
          keyPair,
          await wrapWelcome(suite, keyPair, { ...content, messageCursor }),
        );
        assert.equal(opened.messageCursor, messageCursor);
      }
      for (const messageCursor of [2n ** 63n, 2n ** 64n - 1n]) {
        const far = await wrapWelcome(suite, keyPair, { ...content, messageCursor });
        const refused = { name: "DecodeError", rule: "MessageCursorOutOfRange" };
        await assert.rejects(unwrapWelcome(suite, keyPair, far), refused);
      }
    });

    test("it is one HPKE context under the label MLS_WELCOME: Welcome first, metadata second", async () => {
      const info = hex(`13 ${Buffer.from("MLS 1.0 MLS_WELCOME").toString("hex")} 00`);
      const { kemOutput, ciphertext } = decodeExact(wrapped.data, decodeHpkeCiphertext);
      const context =
        algorithm === CURVE25519
          ? await hpkeSetupReceiver(suite, kemOutput, keyPair, info)
          : xWingSetupReceiver(suite, kemOutput, keyPair.privateKey, info);
      assert.deepEqual(context.open(none, ciphertext), content.welcome);
      assert.deepEqual(context.open(none, wrapped.welcomeMetadata), hex("084d"));
    });

    test("no metadata means cursor 0", async () => {
      const bare = { ...wrapped, welcomeMetadata: none };
      assert.equal((await unwrapWelcome(suite, keyPair, bare)).messageCursor, 0n);
    });

    test("a damaged Welcome, foreign metadata, another key and other algorithms are refused", async () => {
      const other = await wrapWelcome(suite, keyPair, { ...content, messageCursor: 1n });
      const swapped = { ...wrapped, welcomeMetadata: other.welcomeMetadata };
      await assert.rejects(unwrapWelcome(suite, keyPair, swapped), { code: "CRYPTO" });
      const stranger = { algorithm, ...(await newKeyPair[algorithm]()) };
      await assert.rejects(unwrapWelcome(suite, stranger, wrapped), { code: "CRYPTO" });
      await assert.rejects(unwrapWelcome(suite, keyPair, { ...wrapped, data: hex("00") }), { code: "DECODE" });
      for (const wrapperAlgorithm of [algorithm === CURVE25519 ? X_WING : CURVE25519, 3 as const]) {
        await assert.rejects(unwrapWelcome(suite, keyPair, { ...wrapped, wrapperAlgorithm }), {
          code: "MLS_UNSUPPORTED",
        });
      }
    });
  });
}
