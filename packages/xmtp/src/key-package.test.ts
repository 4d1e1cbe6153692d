import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, createKeyPackage, decodeExact, decodeKeyPackage, toHex, utf8 } from "@latchkey/mls";
import { nodeCrypto } from "@latchkey/mls/node";
import { decodeMlsCredential, encodeMlsCredential, leafInboxId } from "./credential.ts";
import { InstallationKey } from "./identity/installation-key.ts";
import {
  createInstallationKeyPackage,
  followsExternalCommits,
  installationLeaf,
  verifyInstallationKeyPackage,
} from "./key-package.ts";
import { XMTP_LIMITS } from "./limits.ts";
import { hex, present, seed } from "./testing/inboxes.ts";

const INBOX = "4d".repeat(32);
const NOW = 1_700_000_000n;
const key = new InstallationKey(seed(1));
const identity = { credential: encodeMlsCredential(INBOX), signatureKeyPair: key };
const bundle = await createInstallationKeyPackage({ crypto: nodeCrypto, identity, inboxId: INBOX, nowSeconds: NOW });

describe("MLS credential", () => {
  test("it is 66 bytes of protobuf around the inbox id", () => {
    const credential = encodeMlsCredential(INBOX);
    assert.deepEqual(credential, { kind: "basic", identity: concatBytes(hex("0a40"), utf8(INBOX)) });
    assert.equal(decodeMlsCredential(credential), INBOX);
    assert.equal(leafInboxId({ credential }), INBOX);
  });

  test("other credentials, other texts and garbage are refused", () => {
    assert.throws(() => encodeMlsCredential("x"), { code: "DECODE" });
    assert.throws(() => decodeMlsCredential({ kind: "x509", certificates: [] }), { code: "DECODE" });
    assert.throws(() => decodeMlsCredential({ kind: "basic", identity: hex("ff") }), { code: "DECODE" });
    assert.throws(() => decodeMlsCredential({ kind: "basic", identity: hex("0a0158") }), { code: "DECODE" });
    assert.equal(leafInboxId({ credential: { kind: "basic", identity: hex("ff") } }), undefined);
  });
});

describe("installation key package", () => {
  test("lifetime: one that is valid for longer than a year is not accepted", async () => {
    const year = XMTP_LIMITS.maxKeyPackageLifetimeSeconds;
    const made = (seconds: bigint) =>
      createKeyPackage(
        { crypto: nodeCrypto, identity },
        { cipherSuite: 3, leaf: installationLeaf(INBOX), lifetime: { notBefore: NOW, notAfter: NOW + seconds } },
      );
    await verifyInstallationKeyPackage(nodeCrypto, (await made(year)).bytes);
    const longer = verifyInstallationKeyPackage(nodeCrypto, (await made(year + 1n)).bytes);
    await assert.rejects(longer, { code: "MLS_INVALID", rule: "lifetime" });
  });

  test("it is valid from an hour ago for 84 days", () => {
    const { source } = decodeExact(bundle.bytes, decodeKeyPackage).leafNode;
    assert.deepEqual(source, {
      kind: "key_package",
      lifetime: { notBefore: NOW - 3_600n, notAfter: NOW + 7_257_600n },
    });
  });

  test("it states what XMTP installations state: last resort, welcome pointers, X-Wing", () => {
    const { leafNode, extensions, cipherSuite } = decodeExact(bundle.bytes, decodeKeyPackage);
    assert.equal(cipherSuite, 3);
    const [lastResort, pointers, wrapper] = extensions;
    assert.deepEqual(lastResort, { type: 0x000a, data: new Uint8Array(0) });
    assert.deepEqual(pointers, { type: 0xff04, data: hex("0a0103") });
    assert.equal(wrapper?.type, 0xff03);
    // pub_key, 1216 bytes long, then the algorithm.
    assert.deepEqual(wrapper.data.subarray(0, 3), hex("0ac009"));
    assert.deepEqual(wrapper.data.subarray(1219), hex("1002"));
    assert.ok(bundle.bytes.length < 2_048, `${bundle.bytes.length} bytes`);
    assert.deepEqual(leafNode.extensions, [{ type: 0x0001, data: concatBytes(hex("4040"), utf8(INBOX)) }]);
    assert.deepEqual(leafNode.capabilities, {
      versions: [1],
      cipherSuites: [3],
      extensions: [0x000a, 0x0001, 0xf000, 0x0006, 0xff02, 0xff00, 0xff01, 0xff03, 0xff04, 0xf082],
      proposals: [7, 8],
      credentials: [1],
    });
    const lifetime = { notBefore: NOW - 3600n, notAfter: NOW + 84n * 86_400n };
    assert.deepEqual(leafNode.source, { kind: "key_package", lifetime });
  });

  test("its leaf says that we follow external commits; one of libxmtp does not", () => {
    const { leafNode } = bundle.keyPackage;
    assert.equal(followsExternalCommits(leafNode), true);
    const libxmtp = [0x000a, 0x0001, 0xf000, 0x0006, 0xff02, 0xff00, 0xff01, 0xff03, 0xff04];
    assert.equal(followsExternalCommits({ capabilities: { ...leafNode.capabilities, extensions: libxmtp } }), false);
  });

  test("it verifies, and says whose it is", async () => {
    const verified = await verifyInstallationKeyPackage(nodeCrypto, bundle.bytes, { nowSeconds: NOW });
    assert.equal(verified.inboxId, INBOX);
    assert.equal(verified.installationId, toHex(key.publicKey));
  });

  test("outside of its lifetime, changed or with bytes left over it is refused", async () => {
    const late = verifyInstallationKeyPackage(nodeCrypto, bundle.bytes, { nowSeconds: NOW + 85n * 86_400n });
    await assert.rejects(late, { code: "MLS_INVALID", rule: "lifetime" });
    const changed = bundle.bytes.slice();
    changed[changed.length - 1] = (present(changed.at(-1)) + 1) & 0xff;
    await assert.rejects(verifyInstallationKeyPackage(nodeCrypto, changed), { name: /ValidationError|CryptoError/ });
    const long = concatBytes(bundle.bytes, hex("00"));
    await assert.rejects(verifyInstallationKeyPackage(nodeCrypto, long), { code: "DECODE" });
  });

  test("a key package with another kind of credential is refused", async () => {
    const foreign = { ...identity, credential: { kind: "basic", identity: utf8("alice") } as const };
    const options = { crypto: nodeCrypto, identity: foreign, inboxId: INBOX, nowSeconds: NOW };
    const { bytes } = await createInstallationKeyPackage(options);
    await assert.rejects(verifyInstallationKeyPackage(nodeCrypto, bytes), { code: "DECODE" });
  });
});
