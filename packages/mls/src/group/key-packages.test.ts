import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeMlsMessage, encodeMlsMessage } from "../messages/mls-message.ts";
import { nodeCrypto } from "../node/index.ts";
import {
  createKeyPackage,
  decodeKeyPackageBundle,
  encodeKeyPackageBundle,
  keyPackageBundle,
  verifyKeyPackage,
} from "./key-packages.ts";
import { keyPackageFor, LEAF, LIFETIME, newConfig, SUITE } from "../testing/groups.ts";

const EMPTY = new Uint8Array(0);
const suite = nodeCrypto.suite(SUITE);

describe("verifyKeyPackage", () => {
  const NOW = 1_000n;

  test("accepts a good one, within its lifetime", async () => {
    const { bytes } = await createKeyPackage(await newConfig("a"), {
      cipherSuite: SUITE,
      leaf: LEAF,
      lifetime: { notBefore: NOW, notAfter: NOW },
    });
    await verifyKeyPackage(nodeCrypto, bytes, { cipherSuite: SUITE, nowSeconds: NOW });
    for (const nowSeconds of [NOW - 1n, NOW + 1n]) {
      const late = verifyKeyPackage(nodeCrypto, bytes, { cipherSuite: SUITE, nowSeconds });
      await assert.rejects(late, { code: "MLS_INVALID", rule: "lifetime" });
    }
  });

  test("lifetime: longer than the application accepts (RFC 9420 §7.2)", async () => {
    const options = { cipherSuite: SUITE, leaf: LEAF, lifetime: { notBefore: NOW, notAfter: NOW + 10n } };
    const { bytes } = await createKeyPackage(await newConfig("a"), options);
    const verify = (lifetimeMaxSeconds: bigint) =>
      verifyKeyPackage(nodeCrypto, bytes, { cipherSuite: SUITE, lifetimeMaxSeconds });
    await verify(10n);
    await assert.rejects(verify(9n), { code: "MLS_INVALID", rule: "lifetime" });
  });

  test("DECODE: a key package of another version than the message around it (RFC 9420 §10)", async () => {
    const { keyPackage } = await keyPackageFor(await newConfig("a"));
    const good = encodeMlsMessage({ wireFormat: "key_package", message: keyPackage });
    assert.equal(decodeMlsMessage(good).wireFormat, "key_package");
    const other = encodeMlsMessage({ wireFormat: "key_package", message: { ...keyPackage, version: 2 } });
    assert.throws(() => decodeMlsMessage(other), { code: "DECODE" });
  });

  test("a bundle comes back from its storage form, and nothing else does", async () => {
    const bundle = await keyPackageFor(await newConfig("a"));
    const stored = encodeKeyPackageBundle(bundle);
    assert.deepEqual(decodeKeyPackageBundle(stored), bundle);
    for (const bytes of [stored.slice(1), stored.slice(0, -1), EMPTY]) {
      assert.throws(() => decodeKeyPackageBundle(bytes), { code: "DECODE" });
    }
  });

  test("key-package, signature: refuses another suite, one key for two uses, and any change", async () => {
    const config = await newConfig("a");
    const bundle = await createKeyPackage(config, { cipherSuite: SUITE, leaf: LEAF, lifetime: LIFETIME });
    const expected = { cipherSuite: SUITE };
    await assert.rejects(verifyKeyPackage(nodeCrypto, bundle.bytes, { cipherSuite: 1 }), { rule: "key-package" });
    const initKey = bundle.keyPackage.leafNode.encryptionKey;
    const twice = keyPackageBundle(nodeCrypto, { ...bundle.keyPackage, initKey }, EMPTY, EMPTY);
    await assert.rejects(verifyKeyPackage(nodeCrypto, twice.bytes, expected), { rule: "key-package" });
    const changed = keyPackageBundle(
      nodeCrypto,
      { ...bundle.keyPackage, initKey: suite.randomBytes(32) },
      EMPTY,
      EMPTY,
    );
    await assert.rejects(verifyKeyPackage(nodeCrypto, changed.bytes, expected), { rule: "signature" });
    const trailing = new Uint8Array([...bundle.bytes, 0]);
    await assert.rejects(verifyKeyPackage(nodeCrypto, trailing, expected), { code: "DECODE" });
  });
});
