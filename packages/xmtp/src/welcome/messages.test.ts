import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EXTENSION_TYPE, utf8, type KeyPackage } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { encodeMlsCredential } from "../credential.ts";
import { InstallationKey } from "../identity/installation-key.ts";
import { createInstallationKeyPackage, type InstallationKeyPackage } from "../key-package.ts";
import { WelcomeWrapperAlgorithm, type WelcomeMessageInput } from "../proto.ts";
import { WELCOME_EXTENSION_TYPE, XMTP_CIPHER_SUITE } from "../protocol.ts";
import { hex, present, seed } from "../testing/inboxes.ts";
import { acceptsWelcomePointers, welcomeExtensions, welcomeKeyOf } from "./key.ts";
import { welcomeMessages } from "./messages.ts";
import { newWelcomePointer, openPointee, sealPointee, unwrapPointer, wrapPointer } from "./pointer.ts";
import { unwrapWelcome, type WelcomeKeyPair } from "./wrap.ts";

const { CURVE25519, XWING_MLKEM_768_DRAFT_6, SYMMETRIC_KEY } = WelcomeWrapperAlgorithm;
const suite = nodeCrypto.suite(XMTP_CIPHER_SUITE);
const content = { welcome: utf8("a Welcome"), messageCursor: 77n };
const INBOX = "4d".repeat(32);

function newPackage(number: number): Promise<InstallationKeyPackage> {
  const identity = { credential: encodeMlsCredential(INBOX), signatureKeyPair: new InstallationKey(seed(number)) };
  return createInstallationKeyPackage({ crypto: nodeCrypto, identity, inboxId: INBOX, nowSeconds: 1_700_000_000n });
}

const [first, second, third] = [await newPackage(1), await newPackage(2), await newPackage(3)];

function xWingKeyPair({ keyPackage, wrapperPrivateKey }: InstallationKeyPackage): WelcomeKeyPair {
  return { ...welcomeKeyOf(keyPackage), privateKey: wrapperPrivateKey };
}

function initKeyPair({ keyPackage, initPrivateKey }: InstallationKeyPackage): WelcomeKeyPair {
  return { algorithm: CURVE25519, publicKey: keyPackage.initKey, privateKey: initPrivateKey };
}

/** The same key package with other extensions; its signature does not matter here. */
function withExtensions({ keyPackage }: InstallationKeyPackage, extensions: KeyPackage["extensions"]): KeyPackage {
  return { ...keyPackage, extensions };
}

function forms(messages: readonly WelcomeMessageInput[]): string[] {
  return messages.map(({ version }) => `${version.case} ${version.value?.wrapperAlgorithm}`);
}

describe("what a key package offers for Welcomes", () => {
  test("ours offer X-Wing and pointers", () => {
    const key = welcomeKeyOf(first.keyPackage);
    assert.equal(key.algorithm, XWING_MLKEM_768_DRAFT_6);
    assert.equal(key.publicKey.length, 1216);
    assert.equal(acceptsWelcomePointers(first.keyPackage), true);
  });

  test("one without offers, and one with offers that nobody can read, is for Curve25519 and no pointers", () => {
    const lastResort = { type: EXTENSION_TYPE.lastResort, data: new Uint8Array(0) };
    const { wrapperEncryption, pointeeAeadTypes } = WELCOME_EXTENSION_TYPE;
    const unreadable = [wrapperEncryption, pointeeAeadTypes].map((type) => ({ type, data: hex("ff") }));
    for (const extensions of [[lastResort], unreadable, welcomeExtensions(new Uint8Array(32))]) {
      const keyPackage = withExtensions(first, extensions);
      assert.deepEqual(welcomeKeyOf(keyPackage), { algorithm: CURVE25519, publicKey: keyPackage.initKey });
      assert.equal(acceptsWelcomePointers(keyPackage), false);
    }
  });
});

describe("the messages that bring a Welcome", () => {
  test("up to two recipients get it directly, for X-Wing", async () => {
    const messages = await welcomeMessages(suite, content, [first.keyPackage, second.keyPackage]);
    assert.deepEqual(forms(messages), [`v1 ${XWING_MLKEM_768_DRAFT_6}`, `v1 ${XWING_MLKEM_768_DRAFT_6}`]);
    for (const [index, owner] of [first, second].entries()) {
      const { version } = present(messages[index]);
      assert.ok(version.case === "v1");
      assert.deepEqual(version.value.installationKey, owner.keyPackage.leafNode.signatureKey);
      assert.deepEqual(await unwrapWelcome(suite, xWingKeyPair(owner), version.value), content);
    }
  });

  test("for three it is stored once, first, and each gets a pointer; who takes none gets it directly", async () => {
    const plain = withExtensions(await newPackage(4), []);
    const owners = [first, second, third];
    const messages = await welcomeMessages(suite, content, [...owners.map(({ keyPackage }) => keyPackage), plain]);
    const pointer = `welcomePointer ${XWING_MLKEM_768_DRAFT_6}`;
    assert.deepEqual(forms(messages), [`v1 ${SYMMETRIC_KEY}`, pointer, pointer, pointer, `v1 ${CURVE25519}`]);
    const stored = present(messages[0]).version;
    assert.ok(stored.case === "v1");
    for (const [index, owner] of owners.entries()) {
      const { version } = present(messages[index + 1]);
      assert.ok(version.case === "welcomePointer");
      assert.deepEqual(version.value.installationKey, owner.keyPackage.leafNode.signatureKey);
      const opened = await unwrapPointer(suite, xWingKeyPair(owner), version.value);
      assert.deepEqual(opened.destination, stored.value.installationKey);
      assert.deepEqual(openPointee(suite, opened, stored.value), content);
    }
  });

  test("an X-Wing key that is none keeps nobody out: its owner gets the Welcome for the init key", async () => {
    const broken = withExtensions(second, welcomeExtensions(new Uint8Array(1216).fill(0xff)));
    for (const recipients of [[broken], [first.keyPackage, broken, third.keyPackage]]) {
      const messages = await welcomeMessages(suite, content, recipients);
      const { version } = present(messages.find(({ version: { value } }) => value?.wrapperAlgorithm === CURVE25519));
      assert.ok(version.case === "v1");
      assert.deepEqual(await unwrapWelcome(suite, initKeyPair(second), version.value), content);
    }
  });
});

describe("welcome pointers", () => {
  const pointer = newWelcomePointer(suite);
  const stored = sealPointee(suite, pointer, content);

  test("Welcome and metadata are under one key with two nonces, bound to nothing else", () => {
    assert.notDeepEqual(pointer.dataNonce, pointer.metadataNonce);
    const none = new Uint8Array(0);
    assert.deepEqual(suite.aeadOpen(pointer.encryptionKey, pointer.dataNonce, none, stored.data), content.welcome);
    assert.deepEqual(openPointee(suite, pointer, stored), content);
    const cursorless = { data: stored.data, welcomeMetadata: none };
    assert.deepEqual(openPointee(suite, pointer, cursorless), { ...content, messageCursor: 0n });
  });

  test("something else where it points, another key and another algorithm are refused", async () => {
    assert.throws(() => openPointee(suite, newWelcomePointer(suite), stored), { code: "CRYPTO" });
    const wrapped = await wrapPointer(suite, welcomeKeyOf(first.keyPackage), pointer);
    await assert.rejects(unwrapPointer(suite, xWingKeyPair(second), wrapped), { code: "CRYPTO" });
    await assert.rejects(unwrapPointer(suite, initKeyPair(first), wrapped), { code: "MLS_UNSUPPORTED" });
    const short = await wrapPointer(suite, welcomeKeyOf(first.keyPackage), { ...pointer, dataNonce: hex("00") });
    await assert.rejects(unwrapPointer(suite, xWingKeyPair(first), short), { code: "DECODE" });
    const long = await wrapPointer(suite, welcomeKeyOf(first.keyPackage), {
      ...pointer,
      dataNonce: new Uint8Array(4_096),
    });
    const { length } = long.welcomePointer;
    const message = `a welcome pointer has ${length} bytes`;
    await assert.rejects(unwrapPointer(suite, xWingKeyPair(first), long), { code: "DECODE", message });
  });
});
